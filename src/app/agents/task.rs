//! The task in which one call's mind thinks, and the call's end of the two queues to it. The task ends with the call.

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant as TokioInstant, sleep_until, timeout};

use super::memory::Recall;
use crate::agent::{CallerFeed, ListenPace, MindGone, MindLine, NotSent};
use crate::mind::{Mind, ToolCall, ToolCallId, Wish};
use crate::pump::{Links, Pump};
use crate::tools::{TOOL_TIME, ToolError, Toolbox};
use crate::voice::exchange::{MindCommand, VoiceEvent};

/// A mind, and the caller's audio if it listens.
pub(super) struct Head {
    pub(super) mind: Box<dyn Mind>,
    pub(super) feed: Option<CallerFeed>,
    /// What is asked about the caller beside the call's beginning.
    pub(super) recall: Option<Recall>,
}

/// What minds reach the world by.
#[derive(Clone)]
pub(super) struct Ways {
    pub(super) tools: Arc<Toolbox>,
    pub(super) pump: Pump,
}

/// Starts the task of a mind, and gives the line to it.
pub(super) fn start(runtime: &Handle, head: Head, ways: Ways) -> QueueLine {
    let (to_mind, events) = channel(MAX_EVENTS);
    let (commands, from_mind) = channel(MAX_COMMANDS);
    let (Head { mind, feed, recall }, Ways { tools, pump }) = (head, ways);
    let links = Links::new(pump);
    // Whoever looks for the task finds the call: when one of the two is gone, the other ends.
    let (pace, began) = (ListenPace::on_grid(*EPOCH), Instant::now());
    runtime.spawn(MindTask { mind, feed, events, commands, tools, links, pace, began }.run(recall));
    QueueLine { to_mind, from_mind }
}

/// The call's end of the queues.
#[derive(Debug)]
pub(super) struct QueueLine {
    /// With the time at which each happened: the mind may come to it later.
    to_mind: Sender<(Instant, VoiceEvent)>,
    from_mind: Receiver<MindCommand>,
}

impl MindLine for QueueLine {
    fn send(&mut self, now: Instant, event: VoiceEvent) -> Result<(), NotSent> {
        self.to_mind.try_send((now, event)).map_err(|error| match error {
            TrySendError::Full((_, event)) => NotSent::Full(event),
            TrySendError::Closed(_) => NotSent::Gone,
        })
    }

    fn receive(&mut self, _now: Instant) -> Result<Option<MindCommand>, MindGone> {
        match self.from_mind.try_recv() {
            Ok(command) => Ok(Some(command)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(MindGone),
        }
    }
}

/// A mind with its ways to voice and to the tools.
struct MindTask {
    mind: Box<dyn Mind>,
    feed: Option<CallerFeed>,
    events: Receiver<(Instant, VoiceEvent)>,
    commands: Sender<MindCommand>,
    tools: Arc<Toolbox>,
    links: Links,
    pace: ListenPace,
    began: Instant,
}

type Answer = (ToolCallId, Result<Value, ToolError>);

impl MindTask {
    /// Thinks until the call is over.
    async fn run(mut self, recall: Option<Recall>) {
        // Boxed, so that what it takes is given back when it is over.
        let mut recalling = recall.map(|recall| Box::pin(recall.answer()));
        let mut answers: JoinSet<Answer> = JoinSet::new();
        // One for all that has its time: each would be entered in the runtime's timers and taken out again whenever anything happens.
        let mut alarm = pin!(sleep_until(TokioInstant::now()));
        while self.serve_wishes(&mut answers).await {
            let due = self.due();
            if let Some(due) = due.filter(|due| alarm.deadline() != TokioInstant::from(*due)) {
                alarm.as_mut().reset(due.into());
            }
            tokio::select! {
                event = self.events.recv() => match event {
                    Some((at, event)) => {
                        self.pace.note(&event);
                        self.mind.handle(at, event);
                    }
                    None => break,
                },
                Some(Ok((id, answer))) = answers.join_next() => {
                    self.mind.handle_tool(Instant::now(), id, answer);
                }
                facts = async { recalling.as_mut()?.await }, if recalling.is_some() => {
                    recalling = None;
                    facts.into_iter().for_each(|facts| self.mind.learn(Instant::now(), facts));
                }
                (link, event) = self.links.next() => self.mind.handle_link(Instant::now(), link, event),
                () = &mut alarm, if due.is_some() => self.wake(due.unwrap_or(self.began)),
            }
        }
        self.finish().await;
    }

    /// When it listens to the caller or wanted to be called, whichever comes first.
    fn due(&self) -> Option<Instant> {
        self.listens_at().into_iter().chain(self.mind.poll_timeout()).min()
    }

    fn listens_at(&self) -> Option<Instant> {
        let every = self.mind.listens_every().filter(|_| self.feed.is_some())?;
        Some(self.pace.due(every).unwrap_or(self.began))
    }

    /// Its time has come. One thing at a time: what it wants is asked for in between.
    fn wake(&mut self, due: Instant) {
        let now = Instant::now().max(due);
        if self.listens_at().is_none_or(|at| at > now) {
            return self.mind.handle_timeout(now);
        }
        self.pace.listened(now);
        if let Some(feed) = &mut self.feed {
            self.mind.hear(now, &mut feed.drain());
        }
    }

    /// Says goodbye to providers: some are paid by the time for which they are connected.
    async fn finish(mut self) {
        self.mind.finish(Instant::now());
        while let Some(wish) = self.mind.poll() {
            match wish {
                Wish::Link(order) => self.links.order(order),
                Wish::Voice(_) | Wish::Tool(_) => {}
            }
        }
        self.links.finish().await;
    }

    /// False if the call is over.
    async fn serve_wishes(&mut self, answers: &mut JoinSet<Answer>) -> bool {
        while let Some(wish) = self.mind.poll() {
            match wish {
                // A full queue is read at the next tick; the mind has nothing to do before that.
                Wish::Voice(command) => {
                    if self.commands.send(command).await.is_err() {
                        return false;
                    }
                }
                Wish::Tool(call) => self.use_tool(call, answers),
                Wish::Link(order) => self.links.order(order),
            }
        }
        true
    }

    fn use_tool(&mut self, call: ToolCall, answers: &mut JoinSet<Answer>) {
        if answers.len() >= MAX_TOOLS_AT_ONCE {
            let busy = ToolError::Unavailable("too many tools are in use in this call".to_owned());
            return self.mind.handle_tool(Instant::now(), call.id, Err(busy));
        }
        let tools = Arc::clone(&self.tools);
        // A task of its own, so that a tool which panics is a tool that failed; and what was begun is done: a caller who hangs
        // up has still cancelled the order. It ends in time by itself.
        let (id, name) = (call.id, call.name.clone());
        let work = async move { timeout(TOOL_TIME, tools.call(&call.name, call.arguments)).await };
        let working = tokio::spawn(work);
        answers.spawn(async move {
            let answer = match working.await {
                Ok(answer) => answer.unwrap_or(Err(ToolError::Timeout(TOOL_TIME))),
                Err(_) => {
                    Err(ToolError::Unavailable(format!("{name} has panicked, as the server's log tells")))
                }
            };
            (id, answer)
        });
    }
}

/// Minds listen at multiples of a frame from here on.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A few seconds of events; more wait in the voice.
const MAX_EVENTS: usize = 32;
/// All that a mind says of 400 ms, and some notes; then it waits for the next tick.
const MAX_COMMANDS: usize = 64;
/// A conversation uses one at a time, and perhaps one that it no longer waits for.
const MAX_TOOLS_AT_ONCE: usize = 8;

#[cfg(test)]
mod tests;
