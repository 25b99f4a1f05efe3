use super::*;
use crate::link::{Endpoint, LinkEnd, LinkFailure, RefusedStatus, Url};

/// A connection, its time, and what was ordered so far.
struct Stage {
    connection: Connection,
    epoch: Instant,
    links: Vec<LinkId>,
}

impl Stage {
    fn new() -> Self {
        let connect = Duration::from_secs(2);
        let connection = Connection::new(LinkIds::of_client(3), connect, RetryConfig::CONNECTION);
        let mut stage = Self { connection, epoch: Instant::now(), links: Vec::new() };
        let endpoint = Endpoint { url: Url::new("wss://host/"), headers: Vec::new() };
        stage.connection.open(stage.at(0), Request::WebSocket(endpoint));
        assert_eq!(stage.orders(), ["open"]);
        stage
    }

    fn at(&self, ms: u64) -> Instant {
        self.epoch + Duration::from_millis(ms)
    }

    fn orders(&mut self) -> Vec<&'static str> {
        let mut deeds = Vec::new();
        while let Some(order) = self.connection.poll_order() {
            deeds.push(match order.deed {
                LinkDeed::Open(_) => {
                    self.links.push(order.link);
                    "open"
                }
                LinkDeed::Send(_) => "send",
                LinkDeed::Close => "close",
            });
        }
        deeds
    }

    fn link(&self) -> LinkId {
        *self.links.last().unwrap()
    }

    fn opened(&mut self, ms: u64) {
        let event = self.connection.handle_link(
            self.at(ms),
            self.link(),
            LinkEvent::Opened(ResponseHead::default()),
            untold,
        );
        assert_eq!(event, Some(ConnectionEvent::Opened(ResponseHead::default())));
        self.connection.ready(self.at(ms));
    }

    fn ended(&mut self, ms: u64, end: LinkEnd) -> Option<ConnectionEvent> {
        self.connection.handle_link(self.at(ms), self.link(), LinkEvent::Ended(end), untold)
    }

    fn due_ms(&self) -> Option<u64> {
        Some((self.connection.poll_timeout()? - self.epoch).as_millis() as u64)
    }
}

/// A vendor that tells nothing by codes and reasons.
fn untold(_code: Option<u16>, _reason: &str) -> Option<Fault> {
    None
}

fn dropped() -> LinkEnd {
    LinkEnd::Closed { code: Some(1006), reason: String::new() }
}

#[test]
fn it_is_opened_anew_a_second_later_and_given_up_after_three_more_tries() {
    let mut stage = Stage::new();
    stage.opened(100);
    assert!(stage.connection.is_ready());
    for lost_at in [5_000, 6_000, 7_000] {
        assert!(matches!(stage.ended(lost_at, dropped()), Some(ConnectionEvent::Lost(_))));
        assert_eq!(stage.due_ms(), Some(lost_at + 1_000));
        assert_eq!(stage.connection.handle_timeout(stage.at(lost_at + 1_000)), None);
        assert_eq!(stage.orders(), ["open"]);
    }
    assert!(matches!(stage.ended(8_500, dropped()), Some(ConnectionEvent::Failed(_))));
    assert!(stage.connection.is_closed());
    assert_eq!((stage.due_ms(), stage.links.len()), (None, 4));
}

#[test]
fn one_that_was_steady_counts_its_failures_anew() {
    let mut stage = Stage::new();
    for lost_at in (1..20).map(|n| n * 20_000) {
        stage.opened(lost_at - 10_000);
        assert!(matches!(stage.ended(lost_at, dropped()), Some(ConnectionEvent::Lost(_))));
        stage.connection.handle_timeout(stage.at(lost_at + 1_000));
        assert_eq!(stage.orders(), ["open"]);
    }
}

#[test]
fn one_that_breaks_whenever_it_is_used_is_given_up() {
    let mut stage = Stage::new();
    for lost_at in [5_000, 10_000, 15_000] {
        stage.opened(lost_at - 1_000);
        assert!(matches!(stage.ended(lost_at, dropped()), Some(ConnectionEvent::Lost(_))));
        stage.connection.handle_timeout(stage.at(lost_at + 1_000));
        stage.orders();
    }
    stage.opened(19_000);
    assert!(matches!(stage.ended(20_000, dropped()), Some(ConnectionEvent::Failed(_))));
}

#[test]
fn a_wrong_key_is_not_tried_again() {
    let mut stage = Stage::new();
    let refused = RefusedStatus { status: 401, retry_after: None, body: String::new(), request_id: None };
    let end = LinkEnd::Failed(LinkFailure::Status(Box::new(refused)));
    let Some(ConnectionEvent::Failed(fault)) = stage.ended(50, end) else { panic!("not given up") };
    assert_eq!(fault.kind, FaultKind::Unauthorized);
}

#[test]
fn what_the_vendor_means_by_a_code_counts_and_only_for_its_own_link() {
    let mut stage = Stage::new();
    stage.opened(100);
    let why = |code, _: &str| {
        assert_eq!(code, Some(1006));
        Some(Fault::new(FaultKind::Unauthorized, "the key is gone"))
    };
    let (now, link) = (stage.at(5_000), stage.link());
    let strange = LinkId(link.0 + 7);
    assert_eq!(stage.connection.handle_link(now, strange, LinkEvent::Ended(dropped()), why), None);
    let Some(ConnectionEvent::Failed(fault)) =
        stage.connection.handle_link(now, link, LinkEvent::Ended(dropped()), why)
    else {
        panic!("not given up")
    };
    assert_eq!(fault.kind, FaultKind::Unauthorized);
}

#[test]
fn one_that_never_becomes_ready_is_closed_and_tried_again() {
    let mut stage = Stage::new();
    assert_eq!(stage.due_ms(), Some(2_000));
    assert_eq!(stage.connection.handle_timeout(stage.at(1_999)), None);
    let Some(ConnectionEvent::Lost(fault)) = stage.connection.handle_timeout(stage.at(2_000)) else {
        panic!()
    };
    assert_eq!(fault.kind, FaultKind::Timeout);
    assert_eq!(stage.orders(), ["close"]);
    let late = stage.connection.handle_link(
        stage.at(2_100),
        stage.link(),
        LinkEvent::Opened(ResponseHead::default()),
        untold,
    );
    assert_eq!(late, None, "that link is closed");
}

#[test]
fn it_speaks_when_nothing_was_said_for_long() {
    let mut stage = Stage::new();
    stage.opened(0);
    stage.connection.keep_alive(Duration::from_secs(4), Message::Text("ping".to_owned()));
    stage.connection.send(stage.at(1_000), Message::Binary(vec![1]));
    assert_eq!(stage.due_ms(), Some(5_000));
    assert_eq!(stage.orders(), ["send"]);
    stage.connection.handle_timeout(stage.at(4_999));
    assert!(stage.orders().is_empty());
    stage.connection.handle_timeout(stage.at(5_000));
    assert_eq!(stage.orders(), ["send"]);
    assert_eq!(stage.due_ms(), Some(9_000));
}

#[test]
fn what_is_said_without_a_link_is_dropped_and_a_closed_one_hears_nothing() {
    let mut stage = Stage::new();
    stage.opened(0);
    stage.connection.close();
    assert_eq!(stage.orders(), ["close"]);
    stage.connection.send(stage.at(10), Message::Binary(vec![1]));
    assert!(stage.orders().is_empty());
    assert_eq!(stage.ended(20, dropped()), None);
    assert_eq!(stage.due_ms(), None);
}
