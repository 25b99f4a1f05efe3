//! What the endpoint reports: new INVITEs are let in or refused here, everything else goes to the call's shard.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Instant;

use caly_sip::endpoint::{Event as SipEvent, Failure, Reply, SessionId, SipDirection, SipTrace};
use caly_sip::message::{HeaderName, Request, Response, StatusCode};
use caly_sip::transport::{Flow, Transport};

use super::calls::{Fate, Leg, SHARD_ANSWER_TIME, Stage};
use super::contact;
use super::switchboard::{Moment, Step, Switchboard};
use super::{NameQuery, SwitchboardLinks};
use crate::call::cause::HangupCause;
use crate::call::destination::CallInfo;
use crate::call::exchange::{CallInput, Offer, OpenCall, Refusal, ShardRequest};
use crate::call::log::{CallDirection, CallId, CallLog, Ended, Event, Opened, SipMessage, Way};
use crate::call::route::Source;

impl Switchboard {
    /// Deals with the endpoint's next event, if there is one.
    pub fn handle_event(&mut self, moment: Moment) -> Step {
        let Some(event) = self.endpoint.poll_event() else { return Step::Idle };
        let now = moment.now;
        match event {
            SipEvent::Invite { id, flow, request } => self.admit(moment, id, flow, &request),
            SipEvent::Acknowledged { id, body } => {
                self.tell(now, id, CallInput::Acknowledged { answer: body.map(|body| body.bytes) });
            }
            SipEvent::AckTimeout { id } => self.dialog_ended(now, id, HangupCause::AckTimeout, None),
            SipEvent::Cancelled { id } => self.dialog_ended(now, id, HangupCause::Canceled, None),
            SipEvent::Lost { id } => self.dialog_ended(now, id, HangupCause::Unreachable, None),
            SipEvent::Bye { id, reason } => self.dialog_ended(now, id, HangupCause::RemoteBye, reason),
            SipEvent::Reinvite { id, body } => {
                self.tell(now, id, CallInput::Reoffer { offer: body.map(|body| body.bytes) });
            }
            SipEvent::ReinviteCancelled { .. } => {}
            SipEvent::ReinviteAccepted { id, .. } => {
                // No call re-INVITEs yet; the dialog is kept in order all the same.
                let _ = self.endpoint.acknowledge(now, id, None);
            }
            SipEvent::ReinviteRejected { .. } => {}
            SipEvent::Provisional { id, response } => {
                self.tell(now, id, CallInput::Progress { status: response.status.as_u16() });
            }
            SipEvent::Answered { id, response } => self.answered(now, id, response),
            SipEvent::Rejected { id, failure } => self.rejected(now, id, &failure),
            SipEvent::Terminated { id } => self.terminated(id),
            SipEvent::Resolve { query, host } => return Step::Ask(NameQuery { id: query, host }),
            SipEvent::Sip(trace) => self.trace(now, trace),
        }
        Step::Done
    }

    fn admit(&mut self, moment: Moment, id: SessionId, flow: Flow, request: &Request) {
        let now = moment.now;
        if !self.rate.admit(now, flow.remote.ip()) {
            self.stats.rate_limited.fetch_add(1, Ordering::Relaxed);
            return self.refuse(now, id, &Refusal::of(HangupCause::CallLimit));
        }
        let mut opened = opened(moment, flow, request);
        if let Err(cause) = self.place(now, id, Invite { flow, request, opened: &mut opened }) {
            self.refuse_with_row(now, id, opened, cause);
        }
    }

    /// Finds the call's destination and its shard, and asks the shard.
    fn place(&mut self, now: Instant, id: SessionId, invite: Invite<'_>) -> Result<(), HangupCause> {
        let Invite { flow, request, opened } = invite;
        let address = flow.remote.ip();
        // Packets of unknown sources do not get here; trunks may only vanish with a new configuration.
        let source = self.config.routing.source(address).ok_or(HangupCause::NotFound)?;
        opened.trunk = match source {
            Source::Trunk(trunk) => Some(trunk.name.clone()),
            Source::Local => None,
        };
        let routed =
            self.config.routing.route(source, address, &opened.number).ok_or(HangupCause::NotFound)?;
        opened.destination = Some(routed.destination.clone());
        if self.is_draining {
            return Err(HangupCause::Draining);
        }
        if self.calls.active() >= self.config.max_calls {
            return Err(HangupCause::CallLimit);
        }
        let call = CallId::random(opened.started_at, &mut self.config.seeds);
        let info = CallInfo { call, from: opened.from.clone(), number: opened.number.clone() };
        let destinations = &self.config.destinations;
        // Whoever makes destinations may have faults; this thread has other calls.
        let built = catch_unwind(AssertUnwindSafe(|| destinations.build(&routed.destination, &info)));
        let built = built.map_err(|_| HangupCause::InternalError)?;
        let (destination, is_recorded) = built.ok_or(HangupCause::NotFound)?;
        let port = self.local.port();
        let ours = contact::for_flow(flow, port, source, &self.config.routing, self.config.advertise);
        let media_sources = match source {
            Source::Trunk(trunk) => trunk.media.clone(),
            Source::Local => Vec::new(),
        };
        let key = self.calls.new_key();
        let shard = self.calls.emptiest_shard();
        let open = OpenCall {
            key,
            call,
            at: now,
            opened: opened.clone(),
            destination,
            offer: if request.body.is_empty() { Offer::Late } else { Offer::Early(request.body.clone()) },
            media: ours.media,
            media_sources,
            record: routed.record || is_recorded,
            answer_by: Some(now + SHARD_ANSWER_TIME),
        };
        let Some(port) = self.links.shards.get_mut(shard) else { return Err(HangupCause::Overloaded) };
        port.requests.push(ShardRequest::Open(Box::new(open))).map_err(|_| HangupCause::Overloaded)?;
        self.calls.place(shard);
        self.calls.insert(id, Leg { key, shard, stage: Stage::Offered, contact: ours.contact });
        self.calls.await_answer(now, key);
        Ok(())
    }

    /// A call that reaches no shard still leaves a row, written from here.
    fn refuse_with_row(&mut self, now: Instant, id: SessionId, opened: Opened, cause: HangupCause) {
        let refusal = Refusal::of(cause);
        let mut log = CallLog::new(CallId::random(opened.started_at, &mut self.config.seeds));
        append(&mut log, &mut self.links, now, now, Event::Opened(opened));
        let ended = Ended { cause, status: Some(refusal.status), reason: None, talk_ms: 0 };
        append(&mut log, &mut self.links, now, now, Event::Ended(ended));
        self.calls.insert_refused(id, log, now);
        self.refuse(now, id, &refusal);
    }

    /// Sends the final response of a refusal.
    pub(super) fn refuse(&mut self, now: Instant, id: SessionId, refusal: &Refusal) {
        let reply = reply_of(refusal, self.local);
        if let Err(error) = self.endpoint.reject(now, id, reply) {
            tracing::debug!(%error, "an INVITE was over before it could be refused");
        }
    }

    /// Hands something to the call's shard. A full inbox loses a ladder line, never a BYE: those that matter are tried
    /// again by the shard's own deadlines.
    pub(super) fn tell(&mut self, at: Instant, id: SessionId, input: CallInput) {
        let Some(leg) = self.calls.leg(id) else { return };
        let Some(port) = self.links.shards.get_mut(leg.shard) else { return };
        let is_detail = matches!(input, CallInput::Sip(_));
        if is_detail && port.requests.slots() < RESERVED_FOR_CALLS {
            return;
        }
        if port.requests.push(ShardRequest::Call { key: leg.key, at, input }).is_err() {
            tracing::error!(shard = leg.shard, "the shard's inbox is full: it has stopped working");
        }
    }

    fn dialog_ended(&mut self, now: Instant, id: SessionId, cause: HangupCause, reason: Option<String>) {
        let status = (cause == HangupCause::Canceled).then_some(487);
        self.tell(now, id, CallInput::Ended { cause, status, reason });
        self.calls.end(id);
    }

    fn answered(&mut self, now: Instant, id: SessionId, response: Response) {
        if let Some(leg) = self.calls.leg(id) {
            leg.stage = Stage::Answered;
        }
        if let Err(error) = self.endpoint.acknowledge(now, id, None) {
            tracing::debug!(%error, "an answer could not be acknowledged");
        }
        let answer = (!response.body.is_empty()).then_some(response.body);
        self.tell(now, id, CallInput::Answered { answer });
    }

    fn rejected(&mut self, now: Instant, id: SessionId, failure: &Failure) {
        let (cause, status) = match failure {
            Failure::Response(response) => (cause_of(response.status), Some(response.status.as_u16())),
            Failure::Timeout | Failure::Transport | Failure::Unresolved => (HangupCause::Unreachable, None),
            Failure::Cancelled => (HangupCause::Canceled, None),
        };
        let reason = match failure {
            Failure::Response(response) => Some(response.reason.clone()),
            Failure::Timeout => Some("no answer from the address".to_owned()),
            Failure::Transport => Some("nobody listens there, or the connection broke off".to_owned()),
            Failure::Unresolved => Some("the host name has no address".to_owned()),
            Failure::Cancelled => None,
        };
        self.tell(now, id, CallInput::Ended { cause, status, reason });
        self.calls.end(id);
    }

    fn terminated(&mut self, id: SessionId) {
        if let Some(Fate::Leg(leg)) = self.calls.remove(id)
            && let Some(port) = self.links.shards.get_mut(leg.shard)
        {
            // A shard that does not hear it forgets the call by itself after a while.
            let _ = port.requests.push(ShardRequest::Forget { key: leg.key });
        }
    }

    fn trace(&mut self, now: Instant, trace: SipTrace) {
        let id = trace.id;
        let message = sip_message(trace);
        match self.calls.fate(id) {
            Some(Fate::Leg(_)) => self.tell(now, id, CallInput::Sip(message)),
            Some(Fate::Refused { log, started }) => {
                append(log, &mut self.links, *started, now, Event::Sip(message))
            }
            // Refused for its rate: counted, and no more.
            None => {}
        }
    }

    /// Shards that did not answer in time: the caller gets 503 instead of silence.
    pub(super) fn check_shards(&mut self, now: Instant) {
        while let Some(id) = self.calls.poll_unanswered(now) {
            self.stats.shard_timeouts.fetch_add(1, Ordering::Relaxed);
            let refusal = Refusal::of(HangupCause::Overloaded);
            let ended = CallInput::Ended {
                cause: HangupCause::Overloaded,
                status: Some(refusal.status),
                reason: None,
            };
            self.tell(now, id, ended);
            self.calls.end(id);
            self.refuse(now, id, &refusal);
        }
    }
}

/// A new INVITE and what its row will say.
struct Invite<'a> {
    flow: Flow,
    request: &'a Request,
    opened: &'a mut Opened,
}

fn append(log: &mut CallLog, links: &mut SwitchboardLinks, started: Instant, at: Instant, event: Event) {
    let room = links.events.room();
    log.push(at.saturating_duration_since(started).into(), event, room, |record| links.events.append(record));
}

fn opened(moment: Moment, flow: Flow, request: &Request) -> Opened {
    let text = |name| request.headers.first(&name).unwrap_or_default().to_owned();
    // Validated messages have one address in both. The text of a field must not stand in for it: it may hold a password.
    let uri = |name| match request.headers.addresses(&name).as_deref() {
        Ok([address, ..]) => address.uri.redacted().to_string(),
        Ok([]) | Err(_) => String::new(),
    };
    Opened {
        started_at: moment.wall,
        direction: CallDirection::Inbound,
        trunk: None,
        peer: flow.remote,
        transport: transport_name(flow.transport).to_owned(),
        from: uri(HeaderName::From),
        to: uri(HeaderName::To),
        number: request.uri.subscriber().unwrap_or_default(),
        sip_call_id: text(HeaderName::CallId),
        destination: None,
    }
}

/// The final response of a refusal.
pub(super) fn reply_of(refusal: &Refusal, local: SocketAddr) -> Reply {
    let status = StatusCode::new(refusal.status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
    let mut reply = Reply::new(status);
    if let Some(seconds) = refusal.retry_after_s {
        reply = reply.with_header(HeaderName::RetryAfter, seconds.to_string());
    }
    if let Some((code, text)) = &refusal.warning {
        let text = text.replace(['"', '\\'], "'");
        reply = reply.with_header(HeaderName::Warning, format!("{code} {local} \"{text}\""));
    }
    reply
}

fn cause_of(status: StatusCode) -> HangupCause {
    match status.as_u16() {
        401 | 407 => HangupCause::Unauthorized,
        404 | 604 => HangupCause::NotFound,
        408 | 480 => HangupCause::NoAnswer,
        486 | 600 => HangupCause::Busy,
        487 => HangupCause::Canceled,
        488 | 606 => HangupCause::NotAcceptable,
        _ => HangupCause::Rejected,
    }
}

fn sip_message(trace: SipTrace) -> SipMessage {
    SipMessage {
        way: match trace.direction {
            SipDirection::Received => Way::Received,
            SipDirection::Sent => Way::Sent,
        },
        transport: transport_name(trace.transport).to_owned(),
        peer: trace.peer,
        start_line: trace.start_line,
        cseq: trace.cseq,
        body_bytes: u32::try_from(trace.body_bytes).unwrap_or(u32::MAX),
        is_retransmission: trace.is_retransmission,
    }
}

/// As the log and the store name it.
pub(super) fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
    }
}

/// Room in a shard's inbox that ladder lines must leave to what decides about calls.
const RESERVED_FOR_CALLS: usize = 1024;
