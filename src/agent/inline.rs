//! A mind that thinks on the spot: for virtual time, where nothing may happen beside the loop that moves it. Its tools answer
//! after a fixed time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::link::{LinkDeed, LinkEnd, LinkEvent, LinkFailure, LinkId, LinkOrder};
use serde_json::Value;

use super::feed::CallerFeed;
use super::line::{MindGone, MindLine, NotSent};
use super::pace::ListenPace;
use crate::mind::{Mind, ToolCall, ToolCallId, Wish};
use crate::tools::ToolError;
use crate::voice::exchange::{MindCommand, VoiceEvent};

/// Uses a tool and waits for what it answers.
pub type AnswerTool = Box<dyn FnMut(&ToolCall) -> Result<Value, ToolError> + Send>;

/// Carries links out in virtual time.
pub trait LinkDriver: Send + fmt::Debug {
    /// Does what is ordered.
    fn order(&mut self, now: Instant, order: LinkOrder);

    /// What has become of links up to now, in order.
    fn poll(&mut self, now: Instant) -> Option<(LinkId, LinkEvent)>;
}

/// Nobody is there to connect to.
#[derive(Debug, Default)]
pub struct NoLinks(VecDeque<LinkId>);

impl LinkDriver for NoLinks {
    fn order(&mut self, _now: Instant, order: LinkOrder) {
        match order.deed {
            LinkDeed::Open(_) => self.0.push_back(order.link),
            LinkDeed::Close => self.0.retain(|link| *link != order.link),
            LinkDeed::Send(_) => {}
        }
    }

    fn poll(&mut self, _now: Instant) -> Option<(LinkId, LinkEvent)> {
        let why = LinkFailure::Connect("providers cannot be reached in virtual time".to_owned());
        self.0.pop_front().map(|link| (link, LinkEvent::Ended(LinkEnd::Failed(why))))
    }
}

/// A mind, and what it has said and is waiting for.
pub struct InlineMind {
    mind: Box<dyn Mind>,
    answer_tool: AnswerTool,
    tool_time: Duration,
    links: Box<dyn LinkDriver>,
    feed: Option<CallerFeed>,
    /// When it takes the caller's audio.
    pace: ListenPace,
    commands: VecDeque<MindCommand>,
    /// Answers that are not due yet, in the order of their time.
    answers: VecDeque<(Instant, ToolCallId, Result<Value, ToolError>)>,
}

impl InlineMind {
    /// Joins a mind with its tools.
    pub fn new(mind: Box<dyn Mind>, answer_tool: AnswerTool) -> Self {
        let links = Box::new(NoLinks::default());
        Self {
            mind,
            answer_tool,
            tool_time: TOOL_TIME,
            links,
            feed: None,
            pace: ListenPace::default(),
            commands: VecDeque::new(),
            answers: VecDeque::new(),
        }
    }

    /// Lets it reach providers.
    #[must_use]
    pub fn with_links(mut self, links: Box<dyn LinkDriver>) -> Self {
        self.links = links;
        self
    }

    /// How long its tools take.
    #[must_use]
    pub fn with_tool_time(mut self, tool_time: Duration) -> Self {
        self.tool_time = tool_time;
        self
    }

    /// Lets it hear the caller.
    #[must_use]
    pub fn with_feed(mut self, feed: CallerFeed) -> Self {
        self.feed = Some(feed);
        self
    }

    /// Tells it what is known of the caller from before.
    pub fn learn(&mut self, now: Instant, facts: Arc<str>) {
        self.mind.learn(now, facts);
    }

    /// Takes up what the mind wants, as long as somebody takes its commands.
    fn serve(&mut self, now: Instant) {
        while self.commands.len() < MAX_COMMANDS {
            match self.mind.poll() {
                Some(Wish::Voice(command)) => self.commands.push_back(command),
                Some(Wish::Tool(call)) => {
                    let answer = (self.answer_tool)(&call);
                    self.answers.push_back((now + self.tool_time, call.id, answer));
                }
                Some(Wish::Link(order)) => self.links.order(now, order),
                None => return,
            }
        }
    }

    /// Hands over the caller's audio as often as the mind wants it.
    fn listen(&mut self, now: Instant) {
        let (Some(feed), Some(every)) = (&mut self.feed, self.mind.listens_every()) else { return };
        if self.pace.due(every).is_none_or(|due| due <= now) {
            self.pace.listened(now);
            self.mind.hear(now, &mut feed.drain());
            self.serve(now);
        }
    }

    /// Answers and deadlines that are due.
    fn catch_up(&mut self, now: Instant) {
        while self.answers.front().is_some_and(|(due, ..)| *due <= now) {
            if let Some((_, id, answer)) = self.answers.pop_front() {
                self.mind.handle_tool(now, id, answer);
                self.serve(now);
            }
        }
        self.listen(now);
        while let Some((link, event)) = self.links.poll(now) {
            self.mind.handle_link(now, link, event);
            self.serve(now);
        }
        if self.mind.poll_timeout().is_some_and(|due| due <= now) {
            self.mind.handle_timeout(now);
        }
    }
}

impl MindLine for InlineMind {
    fn send(&mut self, now: Instant, event: VoiceEvent) -> Result<(), NotSent> {
        if self.commands.len() >= MAX_COMMANDS {
            return Err(NotSent::Full(event));
        }
        self.pace.note(&event);
        self.mind.handle(now, event);
        self.serve(now);
        Ok(())
    }

    fn receive(&mut self, now: Instant) -> Result<Option<MindCommand>, MindGone> {
        if self.commands.is_empty() {
            self.catch_up(now);
            self.serve(now);
        }
        Ok(self.commands.pop_front())
    }
}

impl fmt::Debug for InlineMind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineMind").field("mind", &self.mind).finish_non_exhaustive()
    }
}

/// As many as the server's queue holds.
const MAX_COMMANDS: usize = 64;
/// How long a tool takes.
const TOOL_TIME: Duration = Duration::from_millis(50);
