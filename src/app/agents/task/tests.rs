use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;

use super::*;
use crate::agent::{FeedKind, caller_feed};
use crate::call::dialogue::Dialogue;
use crate::mind::CallerFrame;
use crate::pump::PumpConfig;
use crate::tools::{Answering, Tool};
use crate::voice::Conditioned;

/// A mind that does what the test says and writes down what happens to it.
#[derive(Debug, Default)]
struct Puppet {
    wishes: VecDeque<Wish>,
    wakes_at: Option<Instant>,
    panics: bool,
    listens_every: Option<Duration>,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    events: Mutex<Vec<VoiceEvent>>,
    times: Mutex<Vec<Instant>>,
    answers: Mutex<Vec<(u64, bool)>>,
    timeouts: AtomicUsize,
    frames: AtomicUsize,
    news: Notify,
}

impl Mind for Puppet {
    fn handle(&mut self, now: Instant, event: VoiceEvent) {
        assert!(!self.panics, "the mind breaks off");
        self.seen.times.lock().unwrap().push(now);
        self.seen.events.lock().unwrap().push(event);
        self.seen.news.notify_one();
    }

    fn handle_tool(&mut self, _now: Instant, id: ToolCallId, answer: Result<Value, ToolError>) {
        self.seen.answers.lock().unwrap().push((id.0, answer.is_ok()));
        self.seen.news.notify_one();
    }

    fn listens_every(&self) -> Option<Duration> {
        self.listens_every
    }

    fn hear(&mut self, _now: Instant, audio: &mut dyn Iterator<Item = CallerFrame>) {
        self.seen.frames.fetch_add(audio.count(), Ordering::Relaxed);
        self.seen.news.notify_one();
    }

    fn handle_timeout(&mut self, _now: Instant) {
        self.wakes_at = None;
        self.seen.timeouts.fetch_add(1, Ordering::Relaxed);
        self.seen.news.notify_one();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wakes_at
    }

    fn poll(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }
}

/// A tool that answers when it is told to.
#[derive(Debug, Default)]
struct Slow {
    begun: AtomicUsize,
    go: Notify,
}

impl Tool for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn description(&self) -> &str {
        "Waits."
    }

    fn parameters(&self) -> Value {
        json!({})
    }

    fn call(&self, arguments: Value) -> Answering<'_> {
        let answer: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
            self.begun.fetch_add(1, Ordering::Relaxed);
            self.go.notified().await;
            Ok(arguments)
        });
        answer
    }
}

fn tool_call(id: u64, name: &str) -> Wish {
    Wish::Tool(ToolCall { id: ToolCallId(id), name: name.to_owned(), arguments: json!({}) })
}

fn note(utterance: u64) -> MindCommand {
    MindCommand::Note(Dialogue::Heard { utterance })
}

fn toolbox() -> (Arc<Toolbox>, Arc<Slow>) {
    let slow = Arc::new(Slow::default());
    (Arc::new(Toolbox::new([Arc::clone(&slow) as Arc<dyn Tool>])), slow)
}

fn line_to(mind: Puppet, tools: Arc<Toolbox>) -> QueueLine {
    let pump = Pump::new(&PumpConfig::default()).unwrap();
    start(&Handle::current(), Head { mind: Box::new(mind), feed: None, recall: None }, Ways { tools, pump })
}

/// Asks until it holds; each time the mind has had its turn.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..1000 {
        if what() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it does not come about");
}

#[tokio::test]
async fn events_reach_the_mind_and_its_commands_the_call_in_their_order() {
    let (tools, _) = toolbox();
    let seen = Arc::new(Seen::default());
    let wishes = (0..200).map(|n| Wish::Voice(note(n))).collect();
    let mut line = line_to(Puppet { wishes, seen: Arc::clone(&seen), ..Puppet::default() }, tools);
    let now = Instant::now();
    let mut taken = Vec::new();
    for _ in 0..1000 {
        match line.receive(now).unwrap() {
            Some(command) => taken.push(command),
            None => tokio::task::yield_now().await,
        }
    }
    assert_eq!(taken, (0..200).map(note).collect::<Vec<_>>(), "more than the queue holds, and none is lost");
    line.send(now, VoiceEvent::Answered).unwrap();
    until(|| *seen.events.lock().unwrap() == [VoiceEvent::Answered]).await;
    assert_eq!(*seen.times.lock().unwrap(), [now], "when it happened, not when the mind came to it");
}

/// A tool with a fault.
#[derive(Debug)]
struct Broken;

impl Tool for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn description(&self) -> &str {
        "Panics."
    }

    fn parameters(&self) -> Value {
        json!({})
    }

    fn call(&self, _arguments: Value) -> Answering<'_> {
        panic!("a tool's own fault")
    }
}

#[tokio::test]
async fn a_tool_that_panics_has_failed() {
    let tools = Arc::new(Toolbox::new([Arc::new(Broken) as Arc<dyn Tool>]));
    let seen = Arc::new(Seen::default());
    let wishes = VecDeque::from([tool_call(7, "broken")]);
    let _line = line_to(Puppet { wishes, seen: Arc::clone(&seen), ..Puppet::default() }, tools);
    until(|| *seen.answers.lock().unwrap() == [(7, false)]).await;
}

#[tokio::test]
async fn a_mind_that_does_not_listen_fills_its_queue_and_no_more() {
    let (tools, _) = toolbox();
    // Its commands are not taken, so that it never comes to listen.
    let wishes = (0..1000).map(|n| Wish::Voice(note(n))).collect();
    let mut line = line_to(Puppet { wishes, ..Puppet::default() }, tools);
    let now = Instant::now();
    for _ in 0..MAX_EVENTS {
        assert_eq!(line.send(now, VoiceEvent::SpeechStarted), Ok(()));
        tokio::task::yield_now().await;
    }
    assert_eq!(line.send(now, VoiceEvent::Answered), Err(NotSent::Full(VoiceEvent::Answered)));
}

#[tokio::test]
async fn a_mind_that_panics_is_gone_for_its_call() {
    let (tools, _) = toolbox();
    let mut line = line_to(Puppet { panics: true, ..Puppet::default() }, tools);
    let now = Instant::now();
    line.send(now, VoiceEvent::Answered).unwrap();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(line.receive(now), Err(MindGone));
    assert_eq!(line.send(now, VoiceEvent::SpeechStarted), Err(NotSent::Gone));
}

#[tokio::test]
async fn the_mind_ends_with_its_call_and_what_its_tools_began_is_done() {
    let (tools, slow) = toolbox();
    let seen = Arc::new(Seen::default());
    let wishes = [tool_call(1, "slow")].into();
    let line = line_to(Puppet { wishes, seen: Arc::clone(&seen), ..Puppet::default() }, tools);
    until(|| slow.begun.load(Ordering::Relaxed) == 1).await;
    drop(line);
    // The mind's share of `seen` goes with it.
    until(|| Arc::strong_count(&seen) == 1).await;
    let holders = Arc::strong_count(&slow);
    slow.go.notify_one();
    until(|| Arc::strong_count(&slow) < holders).await;
    assert_eq!(*seen.answers.lock().unwrap(), [], "nobody is there to hear the answer");
}

#[tokio::test]
async fn tools_answer_by_their_ids_and_too_many_at_once_are_refused() {
    let (tools, slow) = toolbox();
    let seen = Arc::new(Seen::default());
    let wishes = (1..=9).map(|id| tool_call(id, "slow")).chain([tool_call(10, "none")]).collect();
    let _line = line_to(Puppet { wishes, seen: Arc::clone(&seen), ..Puppet::default() }, tools);
    until(|| slow.begun.load(Ordering::Relaxed) == MAX_TOOLS_AT_ONCE).await;
    assert_eq!(*seen.answers.lock().unwrap(), [(9, false), (10, false)]);
    for _ in 0..MAX_TOOLS_AT_ONCE {
        slow.go.notify_one();
        let before = seen.answers.lock().unwrap().len();
        until(|| seen.answers.lock().unwrap().len() > before).await;
    }
    let mut answers = seen.answers.lock().unwrap().clone();
    answers.sort_unstable();
    assert_eq!(answers[..8], [1, 2, 3, 4, 5, 6, 7, 8].map(|id| (id, true)));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_never_answers_has_failed_after_its_time() {
    let (tools, _) = toolbox();
    let seen = Arc::new(Seen::default());
    let wishes = [tool_call(1, "slow")].into();
    let _line = line_to(Puppet { wishes, seen: Arc::clone(&seen), ..Puppet::default() }, tools);
    seen.news.notified().await;
    assert_eq!(*seen.answers.lock().unwrap(), [(1, false)]);
}

#[tokio::test]
async fn a_mind_is_woken_when_it_asked_to_be() {
    let (tools, _) = toolbox();
    let seen = Arc::new(Seen::default());
    let wakes_at = Some(Instant::now() + Duration::from_millis(5));
    let _line = line_to(Puppet { wakes_at, seen: Arc::clone(&seen), ..Puppet::default() }, tools);
    seen.news.notified().await;
    assert_eq!(seen.timeouts.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_mind_that_listens_gets_all_of_the_callers_audio_and_is_woken_beside_it() {
    let (tools, _) = toolbox();
    let seen = Arc::new(Seen::default());
    let (mut listener, feed) = caller_feed(FeedKind::Payload);
    let (samples, payload) = ([0; 160], [0xFF; 160]);
    let heard = Conditioned { media_time: Default::default(), samples, payload, is_speech: false };
    let wakes_at = Some(Instant::now() + Duration::from_millis(500));
    let listens_every = Some(Duration::from_millis(60));
    let mind = Puppet { wakes_at, listens_every, seen: Arc::clone(&seen), ..Puppet::default() };
    let pump = Pump::new(&PumpConfig::default()).unwrap();
    let head = Head { mind: Box::new(mind), feed: Some(feed), recall: None };
    let _line = start(&Handle::current(), head, Ways { tools, pump });
    for round in 1..=5 {
        (0..8).for_each(|_| listener.listen(&heard));
        while seen.frames.load(Ordering::Relaxed) < 8 * round {
            seen.news.notified().await;
        }
    }
    while seen.timeouts.load(Ordering::Relaxed) == 0 {
        seen.news.notified().await;
    }
    assert_eq!(seen.frames.load(Ordering::Relaxed), 40, "none twice");
}
