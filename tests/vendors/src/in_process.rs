//! Vendors in virtual time: the orders of the product's clients go in, what links tell comes out, and the distance between
//! the two takes the time that a network takes.

use std::collections::BTreeMap;
use std::time::Duration;

use caly_provider::link::{
    Endpoint, LinkDeed, LinkEnd, LinkEvent, LinkFailure, LinkId, LinkOrder, MAX_MESSAGE_BYTES,
    MAX_REFUSAL_BYTES, Message, Method, ProgramRequest, RefusedStatus, Request, ResponseHead,
};

use crate::vendor::{Action, Answer, Arrival, Connection, Frame, Headers, Refusal, Session, Vendor};

/// A world of vendors, each at its name.
#[derive(Default)]
pub struct InProcess {
    hosts: BTreeMap<String, (Box<dyn Vendor>, Distance)>,
    programs: BTreeMap<String, Program>,
    links: BTreeMap<LinkId, Link>,
    due: BTreeMap<(Duration, u64), (LinkId, Step)>,
    number: u64,
    clock: Duration,
}

/// How far a vendor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distance {
    /// From the wish to connect until the request arrives: name, TCP and TLS.
    pub connect: Duration,
    /// What a message takes in one direction.
    pub one_way: Duration,
}

/// What a program does: the standard output, or the first line of the standard error.
pub type Program = Box<dyn FnMut(&ProgramRequest) -> Result<Vec<u8>, String> + Send>;

/// A link that is not over.
struct Link {
    host: String,
    distance: Distance,
    is_websocket: bool,
    /// What was sent before there was an answer.
    waiting: Vec<(Duration, Frame)>,
    session: Option<Box<dyn Session>>,
}

/// What comes with time.
enum Step {
    Arrive(Arrival),
    Receive(Frame),
    Leave,
    Tell(LinkEvent),
}

impl Default for Distance {
    fn default() -> Self {
        Self { connect: Duration::from_millis(60), one_way: Duration::from_millis(20) }
    }
}

impl InProcess {
    /// The same with a vendor at a name, which is what stands in URLs between `//` and the path.
    #[must_use]
    pub fn with(mut self, host: &str, vendor: impl Vendor + 'static, distance: Distance) -> Self {
        self.hosts.insert(host.to_owned(), (Box::new(vendor), distance));
        self
    }

    /// The same with a program.
    #[must_use]
    pub fn with_program(mut self, name: &str, program: Program) -> Self {
        self.programs.insert(name.to_owned(), program);
        self
    }

    /// Takes an order.
    ///
    /// # Panics
    ///
    /// If the order is none that a client may give: a link opened twice, sent to before it was opened or where nothing
    /// can be sent.
    pub fn order(&mut self, now: Duration, order: LinkOrder) {
        let link = order.link;
        match order.deed {
            LinkDeed::Open(request) => self.open(now, link, request),
            LinkDeed::Send(message) => self.send(now, link, message),
            LinkDeed::Close => self.close(now, link),
        }
    }

    /// When something happens next; `None` if nothing will unless it is ordered.
    pub fn next_due(&self) -> Option<Duration> {
        let step = self.due.first_key_value().map(|((due, _), _)| *due);
        let sessions = self.links.values().filter_map(|link| link.session.as_ref()?.next());
        step.into_iter().chain(sessions).min()
    }

    /// The next that a link tells, if it does by now.
    ///
    /// # Panics
    ///
    /// If a session says that it is due and does nothing.
    pub fn poll(&mut self, now: Duration) -> Option<(LinkId, LinkEvent)> {
        loop {
            let due = self.next_due().filter(|due| *due <= now)?;
            let step = self.due.first_key_value().map(|((due, _), _)| *due);
            // What a session left undone is done now, not in the past.
            self.clock = self.clock.max(due);
            if step != Some(due) {
                self.let_one_speak(self.clock);
                continue;
            }
            let (_, (link, step)) = self.due.pop_first()?;
            match step {
                Step::Arrive(arrival) => self.arrive(due, link, &arrival),
                Step::Receive(frame) => self.receive(due, link, frame),
                Step::Leave => {
                    if let Some(mut session) = self.links.remove(&link).and_then(|link| link.session) {
                        session.closed(due);
                    }
                }
                Step::Tell(event) => {
                    if matches!(event, LinkEvent::Ended(_)) {
                        self.links.remove(&link);
                    }
                    return Some((link, event));
                }
            }
        }
    }

    /// How many links are not over.
    pub fn open_links(&self) -> usize {
        self.links.len()
    }

    fn open(&mut self, now: Duration, link: LinkId, request: Request) {
        assert!(!self.links.contains_key(&link), "{link:?} is opened twice");
        match request {
            Request::WebSocket(endpoint) => {
                let arrival = Arrival { is_websocket: true, ..arrival("GET", &endpoint, Vec::new()) };
                self.connect(now, link, &endpoint, arrival);
            }
            Request::Http(http) => {
                let method = match http.method {
                    Method::Get => "GET",
                    Method::Post => "POST",
                };
                let arrival = arrival(method, &http.endpoint, http.body);
                self.connect(now, link, &http.endpoint, arrival);
            }
            Request::Program(program) => self.run(now, link, &program),
        }
    }

    fn connect(&mut self, now: Duration, link: LinkId, endpoint: &Endpoint, arrival: Arrival) {
        let host = host_of(endpoint.url.as_str()).to_owned();
        let found = self.hosts.get_mut(&host);
        let (connection, distance) = found
            .map_or((Connection::Unresolved, Distance::default()), |(vendor, distance)| {
                (vendor.connect(now), *distance)
            });
        let failure = match connection {
            Connection::Made => None,
            Connection::Refused => Some(LinkFailure::Connect("connection refused".to_owned())),
            Connection::Unresolved => Some(LinkFailure::Resolve(format!("{host} has no address"))),
            Connection::TlsFails => Some(LinkFailure::Tls("unknown issuer".to_owned())),
        };
        let is_websocket = arrival.is_websocket;
        self.links.insert(link, Link { host, distance, is_websocket, waiting: Vec::new(), session: None });
        let step = failure.map_or(Step::Arrive(arrival), failed);
        self.step_at(now + distance.connect, link, step);
    }

    fn run(&mut self, now: Duration, link: LinkId, request: &ProgramRequest) {
        let distance = Distance { connect: Duration::ZERO, one_way: Duration::ZERO };
        let host = String::new();
        self.links
            .insert(link, Link { host, distance, is_websocket: false, waiting: Vec::new(), session: None });
        let found = self.programs.get_mut(&request.program);
        let output = found
            .map_or_else(|| Err(format!("{}: not found; install it", request.program)), |run| run(request));
        match output {
            Ok(output) => {
                self.step_at(now, link, Step::Tell(LinkEvent::Opened(ResponseHead::default())));
                for part in output.chunks(PROGRAM_PART_BYTES) {
                    let part = Message::Binary(part.to_vec());
                    self.step_at(now, link, Step::Tell(LinkEvent::Received(part)));
                }
                self.step_at(now, link, Step::Tell(LinkEvent::Ended(LinkEnd::Complete)));
            }
            Err(error) => self.step_at(now, link, failed(LinkFailure::Program(error))),
        }
    }

    fn send(&mut self, now: Duration, link: LinkId, message: Message) {
        // A link that ended a moment ago may still be sent to: its owner has not heard of it.
        let Some(state) = self.links.get_mut(&link) else { return };
        assert!(state.is_websocket, "{link:?} is no WebSocket: nothing can be sent");
        let frame = match message {
            Message::Text(text) => Frame::Text(text),
            Message::Binary(bytes) => Frame::Binary(bytes),
        };
        if state.session.is_none() {
            state.waiting.push((now, frame));
        } else {
            let due = now + state.distance.one_way;
            self.step_at(due, link, Step::Receive(frame));
        }
    }

    fn close(&mut self, now: Duration, link: LinkId) {
        self.due.retain(|_, (of, step)| *of != link || !matches!(step, Step::Tell(_)));
        if let Some(state) = self.links.get(&link) {
            let due = now + state.distance.one_way;
            if state.session.is_some() {
                // What is under way arrives, and nothing that comes back is told.
                self.step_at(due, link, Step::Leave);
                if let Some(state) = self.links.get_mut(&link) {
                    state.session =
                        state.session.take().map(|inner| Box::new(Deaf(inner)) as Box<dyn Session>);
                }
            } else {
                self.links.remove(&link);
                self.due.retain(|_, (of, _)| *of != link);
            }
        }
    }

    fn arrive(&mut self, now: Duration, link: LinkId, arrival: &Arrival) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let Some((vendor, distance)) = self.hosts.get_mut(&state.host) else { return };
        let back = now + distance.one_way;
        let (headers, session) = match vendor.open(now, arrival) {
            Answer::Upgrade(headers, session) if arrival.is_websocket => (headers, session),
            Answer::Respond(headers, session) if !arrival.is_websocket => (headers, session),
            Answer::Upgrade(..) | Answer::Respond(..) => {
                let what = LinkFailure::Protocol(
                    "a WebSocket where none was asked for, or none where one was".to_owned(),
                );
                return self.step_at(back, link, failed(what));
            }
            Answer::Refuse(refusal) => return self.step_at(back, link, failed(status_of(&refusal))),
            Answer::Nothing => return,
        };
        state.session = Some(session);
        let waiting = std::mem::take(&mut state.waiting);
        self.step_at(back, link, Step::Tell(LinkEvent::Opened(head_of(&headers))));
        for (sent, frame) in waiting {
            // A client sends only when it is open, and what it sends then takes its way.
            self.step_at(sent.max(back) + (back - now), link, Step::Receive(frame));
        }
    }

    fn receive(&mut self, now: Duration, link: LinkId, frame: Frame) {
        if let Some(session) = self.links.get_mut(&link).and_then(|state| state.session.as_mut()) {
            session.receive(now, frame);
        }
    }

    fn let_one_speak(&mut self, now: Duration) {
        let is_due = |state: &Link| {
            state.session.as_ref().and_then(|session| session.next()).is_some_and(|due| due <= now)
        };
        let Some((&link, state)) = self.links.iter_mut().find(|(_, state)| is_due(state)) else { return };
        let back = now + state.distance.one_way;
        let action = state.session.as_mut().and_then(|session| session.poll(now));
        let end = match action {
            // Or virtual time would stand still for ever.
            None => panic!("the session of {link:?} says that it is due and does nothing"),
            Some(Action::Send(frame)) => match message_of(frame, state.is_websocket) {
                Ok(message) => return self.step_at(back, link, Step::Tell(LinkEvent::Received(message))),
                Err(failure) => LinkEnd::Failed(failure),
            },
            Some(Action::End) => LinkEnd::Complete,
            Some(Action::Close { code, reason }) => LinkEnd::Closed { code: Some(code), reason },
            Some(Action::Reset) => {
                LinkEnd::Failed(LinkFailure::Broken("connection reset by peer".to_owned()))
            }
            Some(Action::Garbage) => {
                LinkEnd::Failed(LinkFailure::Protocol("a reserved bit is set".to_owned()))
            }
        };
        state.session = None;
        // What is still under way to who has gone is of no interest.
        self.due.retain(|_, (of, step)| *of != link || matches!(step, Step::Tell(_)));
        self.step_at(back, link, Step::Tell(LinkEvent::Ended(end)));
    }

    fn step_at(&mut self, due: Duration, link: LinkId, step: Step) {
        self.number += 1;
        self.due.insert((due, self.number), (link, step));
    }
}

/// A session whose client has gone and that does not know it yet.
struct Deaf(Box<dyn Session>);

impl Session for Deaf {
    fn receive(&mut self, now: Duration, frame: Frame) {
        self.0.receive(now, frame);
    }

    fn closed(&mut self, now: Duration) {
        self.0.closed(now);
    }

    fn next(&self) -> Option<Duration> {
        None
    }

    fn poll(&mut self, _now: Duration) -> Option<Action> {
        None
    }
}

fn arrival(method: &str, endpoint: &Endpoint, body: Vec<u8>) -> Arrival {
    let headers =
        endpoint.headers.iter().map(|(name, value)| ((*name).to_owned(), value.reveal().to_owned()));
    Arrival { headers: headers.collect(), body, ..Arrival::new(method, endpoint.url.as_str()) }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?']).map_or(rest, |at| &rest[..at])
}

fn message_of(frame: Frame, is_websocket: bool) -> Result<Message, LinkFailure> {
    let bytes = match &frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(bytes) => bytes.len(),
    };
    if bytes > MAX_MESSAGE_BYTES {
        return Err(LinkFailure::TooLong { limit_bytes: MAX_MESSAGE_BYTES });
    }
    Ok(match frame {
        Frame::Text(text) if is_websocket => Message::Text(text),
        Frame::Text(text) => Message::Binary(text.into_bytes()),
        Frame::Binary(bytes) => Message::Binary(bytes),
    })
}

fn failed(failure: LinkFailure) -> Step {
    Step::Tell(LinkEvent::Ended(LinkEnd::Failed(failure)))
}

fn status_of(refusal: &Refusal) -> LinkFailure {
    let value =
        |name: &str| refusal.headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str());
    let seconds = value("retry-after").and_then(|seconds| seconds.parse().ok());
    let mut end = refusal.body.len().min(MAX_REFUSAL_BYTES);
    while !refusal.body.is_char_boundary(end) {
        end -= 1;
    }
    LinkFailure::Status(Box::new(RefusedStatus {
        status: refusal.status,
        retry_after: seconds.map(Duration::from_secs),
        body: refusal.body[..end].to_owned(),
        request_id: head_of(&refusal.headers).request_id,
    }))
}

fn head_of(headers: &Headers) -> ResponseHead {
    let value = |name: &str| headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.clone());
    let request_id = ["x-request-id", "request-id", "dg-request-id"].into_iter().find_map(value);
    let content_type = value("content-type");
    let bare = content_type.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_lowercase());
    ResponseHead { request_id, content_type: bare }
}

/// As much as a pipe brings at once.
const PROGRAM_PART_BYTES: usize = 16_384;
