use super::*;
use crate::audio::AudioFormat;
use crate::link::{Endpoint, LinkDeed, LinkEnd, Request, ResponseHead, Url};
use crate::llm::{ToolRequest, Turn};
use crate::realtime::{Habits, Told};

/// A vendor whose messages are plain words.
#[derive(Debug)]
struct Plain {
    habits: Habits,
}

#[derive(Debug)]
struct PlainWire {
    habits: Habits,
    handle: Option<String>,
}

impl Vendor for Plain {
    fn formats(&self) -> &[Formats] {
        &[FORMATS]
    }

    fn wire(&self, _formats: Formats, _setup: &Setup, handle: Option<&str>) -> Box<dyn Wire> {
        Box::new(PlainWire { habits: self.habits, handle: handle.map(str::to_owned) })
    }
}

fn one(text: String) -> Vec<Message> {
    vec![Message::Text(text)]
}

impl Wire for PlainWire {
    fn request(&self) -> Request {
        Request::WebSocket(Endpoint { url: Url::new("ws://plain"), headers: Vec::new() })
    }

    fn greeting(&mut self) -> Vec<Message> {
        one(format!("setup {}", self.handle.as_deref().unwrap_or("new")))
    }

    fn habits(&self) -> Habits {
        self.habits
    }

    fn lifetime(&self) -> Option<Duration> {
        Some(Duration::from_secs(3_000))
    }

    fn is_resumed(&self) -> bool {
        self.handle.is_some()
    }

    fn replay(&mut self, turns: &[Turn]) -> Vec<Message> {
        let turn = |turn: &Turn| match turn {
            Turn::User(text) => format!("u:{text}"),
            Turn::Assistant { text, calls } => {
                format!("a:{text}{}", calls.iter().map(|call| call.id.as_str()).collect::<String>())
            }
            Turn::Results(results) => format!("r:{}", results[0].content),
        };
        turns.iter().map(turn).map(Message::Text).collect()
    }

    fn audio(&mut self, bytes: &[u8]) -> Vec<Message> {
        one(format!("audio {}", bytes.len()))
    }

    fn end_turn(&mut self) -> Vec<Message> {
        one("commit".to_owned())
    }

    fn note(&mut self, by: Speaker, text: &str) -> Vec<Message> {
        one(format!("{by:?} {text}"))
    }

    fn respond(&mut self, instructions: Option<&str>) -> Vec<Message> {
        one(format!("respond {}", instructions.unwrap_or_default()).trim_end().to_owned())
    }

    fn cancel(&mut self) -> Vec<Message> {
        one("cancel".to_owned())
    }

    fn truncate(&mut self, item: &str, heard: Duration) -> Vec<Message> {
        one(format!("cut {item} {}", heard.as_millis()))
    }

    fn result(&mut self, result: &ToolResult) -> Vec<Message> {
        one(format!("result {}", result.id))
    }

    fn receive(&mut self, message: &Message, told: &mut Vec<Told>) -> Result<(), Fault> {
        let Message::Text(text) = message else { return Ok(()) };
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let word = |at: usize| words.get(at).cloned().unwrap_or_default();
        told.push(match words[0].as_str() {
            "ready" => Told::Ready { request_id: None },
            "starts" => Told::SpeechStarted,
            "stops" => Told::SpeechStopped,
            "turn" => Told::Turn { item: word(1) },
            "heard" => Told::Transcript { item: word(1), text: words[2..].join(" "), is_final: true },
            "begin" => Told::AnswerStarted { answer: word(1) },
            // So many milliseconds.
            "sound" => {
                let bytes = vec![0; word(3).parse::<usize>().unwrap() * 8];
                Told::Audio { answer: word(1), item: word(2), bytes }
            }
            "text" => Told::AgentText { answer: word(1), item: word(2), text: words[3..].join(" ") },
            "tool" => Told::Tool(ToolRequest { id: word(1), name: "t".to_owned(), arguments: String::new() }),
            "untool" => Told::ToolsCancelled(vec![word(1)]),
            "interrupted" => Told::Interrupted,
            "complete" => Told::SoundComplete,
            "done" => Told::AnswerDone { status: AnswerStatus::Completed, usage: None },
            "busy" => Told::Busy,
            "away" => Told::GoAway { left: Duration::from_secs(word(1).parse().unwrap()) },
            "handle" => Told::Handle(Some(word(1))),
            _ => return Err(Fault::malformed(text)),
        });
        Ok(())
    }
}

const FORMATS: Formats = Formats { input: AudioFormat::MULAW_8K, output: AudioFormat::MULAW_8K };
const OPENAI: Habits = Habits {
    ends_turns: true,
    answers_ended_turns: false,
    answers_results: false,
    stops_when_interrupted: false,
};

struct Stage {
    client: Client,
    epoch: Instant,
    link: LinkId,
    told: Vec<String>,
}

impl Stage {
    fn new(habits: Habits) -> Self {
        let vendor = Arc::new(Plain { habits });
        let links = LinkIds::of_client(7);
        let client = Client::new(vendor, FORMATS, Setup::default(), links, ClientConfig::default());
        let mut stage = Self { client, epoch: Instant::now(), link: LinkId(0), told: Vec::new() };
        stage.client.start(stage.epoch);
        stage.drain();
        assert_eq!(stage.told(), ["open"]);
        stage
    }

    /// One whose session is set up at once.
    fn ready(habits: Habits) -> Self {
        let mut stage = Self::new(habits);
        stage.opened(0);
        stage.says(0, "ready");
        assert_eq!(stage.told(), ["setup new", "ready"]);
        stage
    }

    fn at(&self, ms: u64) -> Instant {
        self.epoch + Duration::from_millis(ms)
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll() {
            self.told.push(match output {
                Output::Link(order) => match order.deed {
                    LinkDeed::Open(_) => {
                        self.link = order.link;
                        "open".to_owned()
                    }
                    LinkDeed::Send(Message::Text(text)) => text,
                    LinkDeed::Send(Message::Binary(_)) => panic!("binary"),
                    LinkDeed::Close => "close".to_owned(),
                },
                Output::Event(event) => shown(&event),
            });
        }
    }

    fn does(&mut self, ms: u64, deed: impl FnOnce(&mut Client, Instant)) {
        let now = self.at(ms);
        deed(&mut self.client, now);
        self.drain();
    }

    fn link(&mut self, ms: u64, event: LinkEvent) {
        let link = self.link;
        self.does(ms, |client, now| client.handle_link(now, link, event));
    }

    fn opened(&mut self, ms: u64) {
        self.link(ms, LinkEvent::Opened(ResponseHead::default()));
    }

    fn says(&mut self, ms: u64, text: &str) {
        self.link(ms, LinkEvent::Received(Message::Text(text.to_owned())));
    }

    fn dropped(&mut self, ms: u64) {
        self.link(ms, LinkEvent::Ended(LinkEnd::Closed { code: Some(1006), reason: String::new() }));
    }

    fn until(&mut self, ms: u64) {
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= self.at(ms)) {
            self.client.handle_timeout(due);
            self.drain();
        }
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

fn shown(event: &Event) -> String {
    match event {
        Event::Ready { .. } => "ready".to_owned(),
        Event::SpeechStarted => "starts".to_owned(),
        Event::SpeechStopped => "stops".to_owned(),
        Event::Transcript { item, text, .. } => format!("heard {} {text}", item.0),
        Event::AnswerStarted => "begun".to_owned(),
        Event::Audio { item, bytes } => format!("sound {} {}", item.0, bytes.len() / 8),
        Event::AgentText { item, text } => format!("text {} {text}", item.0),
        Event::ToolRequest(request) => format!("tool {}", request.id),
        Event::ToolsCancelled(ids) => format!("untool {}", ids[0]),
        Event::Interrupted => "interrupted".to_owned(),
        Event::AnswerDone { status: AnswerStatus::Failed(fault), .. } => format!("broken {}", fault.kind),
        Event::AnswerDone { .. } => "done".to_owned(),
        Event::RateLimits(_) => "limits".to_owned(),
        Event::Recycled => "recycled".to_owned(),
        Event::Warning(text) => format!("warning {text}"),
        Event::Lost(fault) => format!("lost {}", fault.kind),
        Event::Failed(fault) => format!("failed {}", fault.kind),
    }
}

fn result(id: &str) -> ToolResult {
    ToolResult { id: id.to_owned(), content: format!("of {id}"), is_error: false }
}

#[test]
fn sound_waits_for_the_session_and_goes_in_pieces() {
    let mut stage = Stage::new(OPENAI);
    for ms in [0, 20, 40, 60, 80, 100] {
        stage.does(ms, |client, now| client.hear(now, &[0; 160]));
    }
    stage.does(100, |client, now| client.respond(now, Some("Greet.")));
    stage.opened(150);
    assert_eq!(stage.told(), ["setup new"]);
    stage.says(200, "ready");
    assert_eq!(stage.told(), ["audio 800", "audio 160", "respond Greet.", "ready"]);
    stage.does(220, |client, now| client.hear(now, &[0; 160]));
    assert_eq!(stage.told(), ["audio 160"]);
    assert_eq!(stage.client.lost_bytes(), 0);
}

#[test]
fn sound_that_waits_too_long_is_dropped_and_counted() {
    let mut stage = Stage::new(OPENAI);
    stage.does(0, |client, now| client.hear(now, &[0; 8_000 * 15]));
    stage.does(0, |client, now| client.hear(now, &[0; 160]));
    assert_eq!(stage.client.lost_bytes(), 160);
}

#[test]
fn an_answer_comes_and_is_cut_off_where_it_was_heard() {
    let mut stage = Stage::ready(OPENAI);
    for text in ["starts", "stops", "turn u1", "begin r1", "sound r1 i1 500", "text r1 i1 one two three four"]
    {
        stage.says(100, text);
    }
    stage.says(110, "heard u1 mera order?");
    stage.says(120, "sound r1 i1 500");
    stage.says(130, "sound r1 i2 300");
    let expected = [
        "starts",
        "stops",
        "begun",
        "sound 1 500",
        "text 1 one two three four",
        "heard 0 mera order?",
        "sound 1 500",
        "sound 2 300",
    ];
    assert_eq!(stage.told(), expected);
    let heard = Some((ItemId(1), Duration::from_millis(520)));
    stage.does(600, |client, now| client.interrupt(now, heard));
    assert_eq!(stage.told(), ["cancel", "cut i1 520", "cut i2 0"]);
    stage.says(610, "sound r1 i1 400");
    stage.says(620, "text r1 i1 never");
    stage.says(630, "done");
    stage.says(640, "sound r1 i1 100");
    assert_eq!(stage.told(), ["done"]);
    assert_eq!(stage.client.late_bytes(), 4_000);
    // The next session knows what was heard, and no more.
    stage.dropped(700);
    stage.until(1_700);
    stage.opened(1_800);
    stage.says(1_900, "ready");
    assert_eq!(stage.told(), ["lost dropped", "open", "setup new", "u:mera order?", "a:one two", "ready"]);
}

#[test]
fn no_more_is_said_to_be_heard_than_came() {
    let mut stage = Stage::ready(OPENAI);
    stage.says(0, "begin r1");
    stage.says(0, "sound r1 i1 200");
    stage.told();
    stage.does(500, |client, now| client.interrupt(now, Some((ItemId(0), Duration::from_secs(9)))));
    assert_eq!(stage.told(), ["cancel", "cut i1 200"]);
    stage.says(510, "done");
    stage.says(520, "begin r");
    stage.says(520, "sound r i 200");
    stage.says(520, "done");
    stage.told();
    stage.does(530, |client, now| client.interrupt(now, Some((ItemId(1), Duration::from_secs(9)))));
    assert!(stage.told().is_empty(), "all of it was heard");
    stage.does(530, |client, now| client.interrupt(now, Some((ItemId(1), Duration::from_millis(70)))));
    assert_eq!(stage.told(), ["cut i 70"], "there is nothing to cancel");
    stage.says(600, "begin r2");
    stage.says(600, "sound r2 i2 200");
    stage.told();
    stage.does(610, |client, now| client.interrupt(now, None));
    assert_eq!(stage.told(), ["cancel", "cut i2 0"], "nothing was heard");
    stage.does(620, |client, now| client.interrupt(now, None));
    assert!(!stage.told().contains(&"cancel".to_owned()), "it is told once");
}

#[test]
fn who_stops_by_itself_is_not_told_to() {
    let mut stage = Stage::ready(Habits { stops_when_interrupted: true, ..OPENAI });
    stage.says(0, "begin r1");
    stage.says(0, "sound r1 i1 200");
    stage.says(100, "starts");
    stage.told();
    stage.does(110, |client, now| client.interrupt(now, Some((ItemId(0), Duration::from_millis(90)))));
    assert_eq!(stage.told(), ["cut i1 90"]);
    stage.says(120, "interrupted");
    stage.says(130, "sound r1 i1 10");
    assert_eq!(stage.told(), ["interrupted"]);
}

#[test]
fn there_is_one_answer_at_a_time() {
    let mut stage = Stage::ready(OPENAI);
    stage.does(0, |client, now| client.respond(now, None));
    stage.does(0, |client, now| client.respond(now, None));
    assert_eq!(stage.told(), ["respond"], "it is due already");
    stage.says(10, "begin r1");
    stage.does(20, |client, now| client.respond(now, Some("Again.")));
    assert_eq!(stage.told(), ["begun"]);
    stage.says(30, "done");
    assert_eq!(stage.told(), ["respond Again.", "done"]);
    stage.says(40, "busy");
    stage.says(50, "begin r2");
    stage.says(60, "done");
    assert_eq!(stage.told(), ["begun", "respond", "done"]);
}

#[test]
fn an_answer_whose_end_was_not_told_is_over_when_the_next_begins() {
    let mut stage = Stage::ready(OPENAI);
    for text in ["begin r1", "begin r1", "begin r2", "sound r1 i1 10", "sound r2 i2 10"] {
        stage.says(0, text);
    }
    assert_eq!(stage.told(), ["begun", "done", "begun", "sound 0 10"]);
}

#[test]
fn when_all_tools_have_answered_the_agent_goes_on() {
    let mut stage = Stage::ready(OPENAI);
    for text in ["begin r1", "tool a", "tool b"] {
        stage.says(0, text);
    }
    stage.told();
    stage.does(10, |client, now| client.tool_result(now, result("b"), Then::Answer));
    stage.does(20, |client, now| client.tool_result(now, result("a"), Then::Answer));
    stage.does(20, |client, now| client.tool_result(now, result("unknown"), Then::Answer));
    assert_eq!(stage.told(), ["result b", "result a"], "the answer is not over");
    stage.says(30, "done");
    assert_eq!(stage.told(), ["respond", "done"]);
    let mut stage = Stage::ready(Habits { answers_results: true, ..OPENAI });
    stage.says(0, "tool a");
    stage.says(0, "tool b");
    stage.says(0, "untool b");
    stage.told();
    stage.does(10, |client, now| client.tool_result(now, result("b"), Then::Answer));
    stage.does(10, |client, now| client.tool_result(now, result("a"), Then::Answer));
    assert_eq!(stage.told(), ["result a"]);
    stage.until(5_010);
    assert_eq!(stage.told(), ["close", "lost timeout"], "an answer was due");
}

#[test]
fn one_answer_is_for_all_that_came_while_tools_were_at_work() {
    let mut stage = Stage::ready(OPENAI);
    for text in ["begin r1", "tool a", "tool b"] {
        stage.says(0, text);
    }
    stage.does(10, |client, now| client.tool_result(now, result("a"), Then::Answer));
    stage.does(10, |client, now| client.respond(now, None));
    stage.told();
    stage.says(20, "done");
    assert_eq!(stage.told(), ["done"], "a tool is at work");
    stage.does(30, |client, now| client.tool_result(now, result("b"), Then::Nothing));
    assert_eq!(stage.told(), ["result b", "respond"]);
}

#[test]
fn a_tool_after_which_nothing_is_to_be_said() {
    let mut stage = Stage::ready(OPENAI);
    for text in ["begin r1", "tool a", "done"] {
        stage.says(0, text);
    }
    stage.told();
    stage.does(10, |client, now| client.tool_result(now, result("a"), Then::Nothing));
    assert_eq!(stage.told(), ["result a"]);
    let mut stage = Stage::ready(Habits { answers_results: true, ..OPENAI });
    stage.says(0, "tool a");
    stage.told();
    stage.does(10, |client, now| client.tool_result(now, result("a"), Then::Nothing));
    assert_eq!(stage.told(), ["result a"]);
    stage.until(60_000);
    assert!(stage.told().is_empty(), "nothing is due");
}

#[test]
fn a_tool_that_answers_to_a_new_session_is_told_in_words() {
    let mut stage = Stage::ready(OPENAI);
    for text in ["begin r1", "tool a", "tool b", "done"] {
        stage.says(0, text);
    }
    stage.dropped(10);
    stage.does(20, |client, now| client.tool_result(now, result("a"), Then::Answer));
    stage.until(1_010);
    stage.opened(1_020);
    stage.told();
    stage.says(1_030, "ready");
    assert_eq!(stage.told(), ["a:a", "r:of a", "ready"]);
    stage.does(1_040, |client, now| client.tool_result(now, result("b"), Then::Answer));
    assert_eq!(stage.told(), ["System The tool answered: of b", "respond"]);
}

#[test]
fn nonsense_breaks_the_connection_and_a_closed_client_is_silent() {
    let mut stage = Stage::ready(OPENAI);
    stage.says(0, "nonsense");
    assert_eq!(stage.told(), ["close", "lost malformed"]);
    stage.until(1_000);
    stage.does(1_000, Client::close);
    assert_eq!(stage.told(), ["open", "close"]);
    stage.says(1_100, "ready");
    stage.does(1_200, |client, now| client.hear(now, &[0; 160]));
    assert!(stage.told().is_empty());
    assert_eq!(stage.client.poll_timeout(), None);
}

#[test]
fn too_many_tools_are_refused() {
    let mut stage = Stage::ready(OPENAI);
    stage.says(0, "begin r1");
    (0..17).for_each(|number| stage.says(0, &format!("tool {number}")));
    assert_eq!(stage.told().last().unwrap(), "warning t was not used: too many tools have not answered");
}

mod sessions;
