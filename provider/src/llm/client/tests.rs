use super::*;
use crate::link::{Endpoint, HttpRequest, LinkFailure, Method, RefusedStatus, Url};
use crate::llm::{Awaited, Finish, ToolRequest};
use crate::policy::Health;
use crate::policy::chain::Member;

/// Each byte of the body is a word; a full stop is the end. Brackets are around a tool's arguments, each `-` of which is a byte.
#[derive(Debug)]
struct Bytes;

#[derive(Debug, Default)]
struct BytesDecoder {
    arguments: String,
}

impl Vendor for Bytes {
    fn request(&self, _prompt: &Prompt) -> HttpRequest {
        let endpoint = Endpoint { url: Url::new("http://bytes"), headers: Vec::new() };
        HttpRequest { method: Method::Post, endpoint, body: Vec::new() }
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(BytesDecoder::default())
    }
}

impl Decoder for BytesDecoder {
    fn receive(&mut self, part: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        for byte in part {
            pieces.push(match byte {
                b'.' => Piece::Finished(Finish::Stop),
                b'[' => Piece::ToolBegun { name: "tool".to_owned() },
                b'-' => {
                    self.arguments.push('-');
                    continue;
                }
                b']' => {
                    let (id, name) = (String::new(), "tool".to_owned());
                    Piece::Tool(ToolRequest { id, name, arguments: self.arguments.clone() })
                }
                b'!' => return Err(Fault::malformed("!")),
                byte => Piece::Text(char::from(*byte).to_string()),
            });
        }
        Ok(())
    }

    fn end(&mut self, _pieces: &mut Vec<Piece>) -> Result<(), Fault> {
        Ok(())
    }

    fn argument_bytes(&self) -> usize {
        self.arguments.len()
    }
}

struct Stage {
    client: Client,
    epoch: Instant,
    /// Links in the order in which they were opened.
    links: Vec<LinkId>,
    told: Vec<String>,
}

impl Stage {
    fn new(providers: usize, hedge_after: Option<Duration>) -> Self {
        let epoch = Instant::now();
        let member = |number: usize| Member {
            name: format!("p{number}").into(),
            health: Arc::new(Health::new(epoch)),
        };
        let config = ClientConfig {
            vendors: (0..providers).map(|_| Arc::new(Bytes) as Arc<dyn Vendor>).collect(),
            chain: Chain::new((0..providers).map(member).collect()),
            hedge_after,
        };
        let client = Client::new(config, LinkIds::of_client(1));
        Self { client, epoch, links: Vec::new(), told: Vec::new() }
    }

    fn ask(&mut self, ms: u64) -> AskId {
        let ask = self.client.ask(self.at(ms), Arc::new(Prompt::default()));
        self.drain();
        ask
    }

    fn at(&self, ms: u64) -> Instant {
        self.epoch + Duration::from_millis(ms)
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll() {
            self.told.push(match output {
                Output::Link(LinkOrder { link, deed: LinkDeed::Open(_) }) => {
                    self.links.push(link);
                    format!("open {}", self.links.len() - 1)
                }
                Output::Link(LinkOrder { link, .. }) => {
                    format!("close {}", self.links.iter().position(|opened| *opened == link).unwrap())
                }
                Output::Asked { provider, .. } => format!("ask p{provider}"),
                Output::Accepted { .. } => "accepted".to_owned(),
                Output::Piece { piece: Piece::Text(text), .. } => text,
                Output::Piece { piece: Piece::Finished(_), .. } => "finished".to_owned(),
                Output::Piece { piece: Piece::ToolBegun { name }, .. } => format!("begins {name}"),
                Output::Piece { piece: Piece::Tool(tool), .. } => format!("{} {}", tool.name, tool.arguments),
                Output::Piece { piece, .. } => panic!("{piece:?}"),
                Output::Fault { provider, fault, .. } => format!("p{provider} {}", fault.kind),
                Output::Failed { has_begun, .. } => format!("failed {has_begun}"),
            });
        }
    }

    fn link(&mut self, ms: u64, link: usize, event: LinkEvent) {
        self.client.handle_link(self.at(ms), self.links[link], event);
        self.drain();
    }

    fn body(&mut self, ms: u64, link: usize, body: &str) {
        self.link(ms, link, LinkEvent::Received(Message::Binary(body.as_bytes().to_vec())));
    }

    fn refused(&mut self, ms: u64, link: usize, status: u16, retry_after: Option<u64>) {
        let retry_after = retry_after.map(Duration::from_secs);
        let refused = RefusedStatus { status, retry_after, body: String::new(), request_id: None };
        self.link(ms, link, LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Status(Box::new(refused)))));
    }

    /// Lets the time pass, and handles what is due on the way.
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

#[test]
fn an_answer_comes_piece_by_piece() {
    let mut stage = Stage::new(2, None);
    stage.ask(0);
    stage.body(100, 0, "ab");
    stage.body(200, 0, "c.");
    stage.link(210, 0, LinkEvent::Ended(LinkEnd::Complete));
    assert_eq!(stage.told(), ["ask p0", "open 0", "a", "b", "c", "finished"]);
    assert_eq!(stage.client.poll_timeout(), None);
}

#[test]
fn each_provider_is_waited_for_as_its_own_configuration_says() {
    let mut stage = Stage::new(2, None);
    let (first, stall) = (Duration::from_millis(900), Duration::from_millis(200));
    let patience = Patience { first, stall, ..Patience::LLM };
    stage.client.config.vendors[0] = Arc::new(Awaited { vendor: Arc::new(Bytes), patience });
    stage.ask(0);
    stage.until(899);
    assert_eq!(stage.told(), ["ask p0", "open 0"]);
    stage.until(900);
    assert_eq!(stage.told(), ["close 0", "p0 timeout", "ask p1", "open 1"]);
    stage.until(5_899);
    assert_eq!(stage.told(), Vec::<String>::new(), "the other one is waited for as usual");

    stage.ask(10_000);
    stage.body(10_100, 2, "a");
    stage.until(10_299);
    stage.told();
    stage.until(10_300);
    assert_eq!(stage.told()[..2], ["close 2", "p0 timeout"]);
}

#[test]
fn a_tool_is_used_whose_arguments_take_long_to_write() {
    let mut stage = Stage::new(1, None);
    stage.ask(0);
    stage.body(900, 0, "[");
    for second in 1..=6 {
        stage.until(second * 1_000);
        stage.body(second * 1_000, 0, "-");
    }
    stage.until(8_900);
    stage.body(8_900, 0, "].");
    assert_eq!(stage.told(), ["ask p0", "open 0", "begins tool", "tool ------", "finished"]);
    stage.until(9_900);
    stage.told();

    // One whose arguments stand still is given up all the same.
    stage.ask(10_000);
    stage.body(10_100, 1, "[");
    stage.body(11_000, 1, "-");
    stage.body(12_000, 1, "");
    stage.until(13_999);
    assert_eq!(stage.told(), ["ask p0", "open 1", "begins tool"]);
    stage.until(14_000);
    assert_eq!(stage.told(), ["close 1", "p0 timeout", "failed true"]);
}

#[test]
fn a_body_without_an_end_is_broken_off() {
    let mut stage = Stage::new(1, None);
    stage.ask(0);
    stage.body(100, 0, ".");
    stage.until(1_099);
    assert_eq!(stage.told(), ["ask p0", "open 0", "finished"]);
    stage.until(1_100);
    assert_eq!(stage.told(), ["close 0"]);
}

#[test]
fn who_fails_is_followed_by_the_next_and_then_there_is_no_answer() {
    let mut stage = Stage::new(2, None);
    stage.ask(0);
    stage.refused(50, 0, 401, None);
    assert_eq!(stage.told(), ["ask p0", "open 0", "p0 unauthorized", "ask p1", "open 1"]);
    stage.until(5_049);
    assert!(stage.told().is_empty());
    stage.until(5_050);
    assert_eq!(stage.told(), ["close 1", "p1 timeout", "failed false"]);
    // The next question goes to who is not known to fail.
    stage.ask(6_000);
    assert_eq!(stage.told(), ["ask p1", "open 2"]);
}

#[test]
fn who_is_shut_no_longer_is_asked_before_who_comes_behind_him() {
    let mut stage = Stage::new(3, None);
    stage.client.config.chain.failed(stage.epoch, 1, &Fault::new(FaultKind::Unauthorized, ""));
    stage.ask(60_000);
    stage.refused(60_100, 0, 500, None);
    assert_eq!(stage.told(), ["ask p0", "open 0", "p0 unavailable", "ask p1", "open 1"]);

    let mut stage = Stage::new(3, Some(Duration::from_millis(900)));
    stage.client.config.chain.failed(stage.epoch, 1, &Fault::new(FaultKind::Unauthorized, ""));
    stage.ask(60_000);
    stage.until(60_900);
    assert_eq!(stage.told(), ["ask p0", "open 0", "ask p1", "open 1"]);
}

#[test]
fn who_is_alone_is_asked_twice() {
    let mut stage = Stage::new(1, None);
    stage.ask(0);
    stage.until(10_000);
    let expected = [
        "ask p0",
        "open 0",
        "close 0",
        "p0 timeout",
        "ask p0",
        "open 1",
        "close 1",
        "p0 timeout",
        "failed false",
    ];
    assert_eq!(stage.told(), expected);
}

#[test]
fn a_providers_own_time_is_waited_for_if_it_is_short() {
    let mut stage = Stage::new(1, None);
    stage.ask(0);
    stage.refused(100, 0, 429, Some(2));
    stage.until(2_099);
    assert_eq!(stage.told(), ["ask p0", "open 0", "p0 rate_limited"]);
    stage.until(2_100);
    assert_eq!(stage.told(), ["ask p0", "open 1"]);
    stage.refused(2_200, 1, 429, Some(2));
    assert_eq!(stage.told(), ["p0 rate_limited", "failed false"]);
    stage.ask(3_000);
    stage.refused(3_100, 2, 429, Some(60));
    assert_eq!(stage.told(), ["ask p0", "open 2", "p0 rate_limited", "failed false"]);
}

#[test]
fn an_answer_that_breaks_off_is_not_begun_again() {
    for (event, kind) in [
        (LinkEvent::Ended(LinkEnd::Complete), "dropped"),
        (LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Broken(String::new()))), "dropped"),
        (LinkEvent::Received(Message::Binary(b"!".to_vec())), "malformed"),
    ] {
        let mut stage = Stage::new(2, None);
        stage.ask(0);
        stage.body(100, 0, "a");
        stage.link(200, 0, event);
        let told = stage.told();
        assert_eq!(told.last().unwrap(), "failed true");
        assert!(told.contains(&format!("p0 {kind}")), "{told:?}");
    }
    let mut stage = Stage::new(2, None);
    stage.ask(0);
    stage.body(100, 0, "a");
    stage.until(3_100);
    assert_eq!(stage.told(), ["ask p0", "open 0", "a", "close 0", "p0 timeout", "failed true"]);
}

#[test]
fn who_is_slow_gets_company_and_whoever_begins_first_is_heard() {
    let mut stage = Stage::new(2, Some(Duration::from_millis(900)));
    stage.ask(0);
    stage.until(900);
    assert_eq!(stage.told(), ["ask p0", "open 0", "ask p1", "open 1"]);
    stage.body(1_000, 1, "x");
    stage.body(1_010, 0, "late");
    assert_eq!(stage.told(), ["close 0", "x"]);
    stage.body(1_100, 1, ".");
    assert_eq!(stage.told(), ["finished"]);
}

#[test]
fn one_of_two_that_fails_does_not_end_the_other() {
    let mut stage = Stage::new(2, Some(Duration::from_millis(900)));
    stage.ask(0);
    stage.until(900);
    stage.refused(950, 0, 500, None);
    stage.body(1_000, 1, "x.");
    assert_eq!(stage.told(), ["ask p0", "open 0", "ask p1", "open 1", "p0 unavailable", "x", "finished"]);
}

#[test]
fn nothing_is_told_of_what_nobody_wants_any_more() {
    let mut stage = Stage::new(1, None);
    let ask = stage.ask(0);
    stage.client.cancel(ask);
    stage.drain();
    stage.body(100, 0, "a.");
    assert_eq!(stage.told(), ["ask p0", "open 0", "close 0"]);
    assert_eq!(stage.client.poll_timeout(), None);
    let open: Vec<AskId> = (0..=MAX_ASKS as u64).map(|n| stage.ask(n)).collect();
    assert_eq!(stage.told().iter().filter(|told| told.starts_with("close")).count(), 1);
    assert_eq!(stage.client.asks.first().map(|ask| ask.id), open.get(1).copied());
}
