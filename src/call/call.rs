//! One call: from its INVITE to its one cause. It owns its media and its destination and decides what signaling must
//! do; it knows no socket, clock or thread. The shell feeds packets and inputs, calls [`Call::tick`] once per 20 ms,
//! and after each of them drains [`Call::poll_output`].

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use caly_rtp::dtmf::Digit;
use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::jitter::{JitterConfig, Release};
use caly_rtp::latch::LatchPolicy;
use caly_rtp::session::{Outgoing, Session, SessionConfig};
use ipnet::IpNet;

use super::admission::ReofferRate;
use super::cause::HangupCause;
use super::destination::{Begin, Destination, Wish};
use super::dialogue::Noted;
use super::exchange::{BoundMedia, CallAnswer, CallInput, Offer, Refusal};
use super::interface::{CallConfig, CallPolicy, End, Output};
use super::log::{CallTime, Event, LegQuality, MediaAgreed};
use super::negotiate::{Agreement, MediaError, Negotiation};
use super::observe;
use super::recording::{CallerTimeline, MediaTap, tap_paced};
use super::starvation;
use crate::seed::Seeds;

/// One call.
#[derive(Debug)]
pub struct Call {
    started: Instant,
    state: State,
    policy: CallPolicy,
    destination: Box<dyn Destination>,
    bound: Option<BoundMedia>,
    media_sources: Vec<IpNet>,
    negotiation: Option<Negotiation>,
    session: Option<Session>,
    seeds: Seeds,
    /// Ticks since media began: the block of a recording.
    tick: u32,
    /// When the last tick was.
    ticked_at: Instant,
    /// A packet came since.
    has_unheard: bool,
    /// Since when nothing but silence was sent.
    silent_ticks: u32,
    caller_timeline: CallerTimeline,
    answer: Answer,
    /// Since when RTP is expected: the ACK, before which a peer may not even have heard the answer.
    acknowledged_at: Option<Instant>,
    reoffers: ReofferRate,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Made, not yet begun.
    New,
    /// 180 is sent; the destination does not answer.
    Ringing { until: Instant },
    /// Our INVITE is out.
    Calling { until: Instant },
    /// 2xx sent or received. `offered`: an offer of ours waits for the answer in the ACK.
    Answered { at: Instant, offered: bool },
    /// Over.
    Ended,
}

/// Our 2xx: what the log says of it waits until it has left.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    /// There is none.
    None,
    /// Signaling has it; with the agreements that hold once it is out. More than one takes a re-INVITE, which takes an ACK.
    OnItsWay(Vec<MediaAgreed>),
    /// It has left, or it came from the peer.
    Out,
}

impl Call {
    /// A call that has not begun.
    pub fn new(config: CallConfig, policy: CallPolicy) -> Self {
        let mut seeds = config.seeds;
        let negotiation = config.media.map(|bound| Negotiation::new(&policy.codecs, bound, seeds.next_u64()));
        Self {
            started: config.at,
            state: State::New,
            policy,
            destination: config.destination,
            bound: config.media,
            media_sources: config.media_sources,
            negotiation,
            session: None,
            seeds,
            tick: 0,
            ticked_at: config.at,
            has_unheard: false,
            silent_ticks: 0,
            caller_timeline: CallerTimeline::new(),
            answer: Answer::None,
            acknowledged_at: None,
            reoffers: ReofferRate::new(config.at),
            outputs: VecDeque::new(),
        }
    }

    /// Begins the call: decides about the INVITE, or makes the offer of ours.
    pub fn begin(&mut self, now: Instant, offer: Offer) {
        match (self.destination.begin(), offer) {
            (_, Offer::Ours) => self.place(now),
            (Begin::Refuse(cause), _) => self.end(now, cause, Refusal::of(cause)),
            (Begin::Ring, _) => self.ring(now),
            (Begin::Answer, Offer::Early(offer)) => self.answer(now, &offer),
            (Begin::Answer, Offer::Late) => self.answer_with_offer(now),
        }
    }

    /// What signaling says.
    pub fn handle_input(&mut self, now: Instant, input: CallInput) {
        if self.state == State::Ended {
            return;
        }
        match input {
            CallInput::Accepted => self.answer_is_out(now),
            CallInput::Acknowledged { answer } => self.acknowledged(now, answer),
            CallInput::Reoffer { offer } => self.reoffer(now, offer),
            CallInput::Progress { status } => self.event(now, Event::Ringing { status }),
            CallInput::Answered { answer } => self.answered(now, answer),
            CallInput::Ended { cause, status, reason } => self.finish(now, cause, status, reason),
            CallInput::HangUp { cause } => self.end(now, cause, Refusal::of(cause)),
            CallInput::Sip(message) => self.event(now, Event::Sip(message)),
        }
    }

    /// A datagram on the RTP port; `arrival` is the kernel's time. True if it was the peer's. A destination that listens
    /// in order hears it at once when others arrived since the last tick: a jitter buffer holds 400 ms, and after a
    /// stall of the machine the kernel has kept far more.
    pub fn handle_rtp(
        &mut self,
        arrival: Instant,
        source: SocketAddr,
        datagram: &[u8],
        tap: &mut dyn MediaTap,
    ) -> bool {
        let Some(session) = &mut self.session else { return false };
        if !session.handle_rtp(arrival, source, datagram) {
            return false;
        }
        let is_answered = matches!(self.state, State::Answered { .. });
        let is_behind = std::mem::replace(&mut self.has_unheard, true);
        if is_behind && is_answered && self.destination.release() == Release::InOrder {
            // The place on the timeline is that of the arrival, and so is the patience with gaps.
            let ticks = arrival.saturating_duration_since(self.ticked_at).as_millis() / TICK_MS;
            let tick = self.tick.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX));
            self.hear_in_order(arrival, tick, tap);
        }
        true
    }

    /// A datagram on the RTCP port.
    pub fn handle_rtcp(&mut self, arrival: Instant, source: SocketAddr, datagram: &[u8]) {
        if let Some(session) = &mut self.session {
            session.handle_rtcp(arrival, source, datagram);
        }
    }

    /// One tick of the call's clock, 20 ms after the one before plus 20 ms for each of the `missed` ones: hears what
    /// came, speaks one frame and returns it as the packet to send.
    pub fn tick(&mut self, now: Instant, missed: u32, tap: &mut dyn MediaTap) -> Option<Outgoing<'_>> {
        self.ticked_at = now;
        self.has_unheard = false;
        self.check_deadlines(now);
        let State::Answered { .. } = self.state else { return None };
        let session = self.session.as_mut()?;
        if missed > 0 {
            session.skip_ticks(missed);
            self.destination.handle_missed(now, missed);
            self.tick = self.tick.saturating_add(missed);
            self.event(now, Event::TickLate { missed });
        }
        self.hear(now, tap);
        self.observe_session(now);
        self.serve_wishes(now);
        self.speak(now, tap)
    }

    /// An RTCP packet, when one is due. Ask a few times a second.
    pub fn poll_rtcp(&mut self, now: Instant) -> Option<Outgoing<'_>> {
        match self.state {
            State::Answered { .. } => self.session.as_mut()?.poll_rtcp(now),
            State::New | State::Ringing { .. } | State::Calling { .. } | State::Ended => None,
        }
    }

    /// The RTCP BYE that ends the stream (RFC 3550 6.6). Send it when the call has ended.
    pub fn goodbye(&mut self, now: Instant) -> Option<Outgoing<'_>> {
        self.session.as_mut()?.goodbye(now)
    }

    /// What the call wants; drain after every input and tick.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Hands the rest of the caller's audio to the recording.
    pub fn finish_recording(&mut self, tap: &mut dyn MediaTap) {
        self.caller_timeline.flush(tap);
    }

    /// Whether a gap of some milliseconds in what is sent would not be heard now.
    pub fn is_silent(&self) -> bool {
        self.silent_ticks >= SILENT_TICKS
    }

    /// Figures of the leg so far, if media ever ran.
    pub fn quality(&self) -> Option<LegQuality> {
        self.session.as_ref().map(|session| observe::leg_quality(&session.quality()))
    }

    fn place(&mut self, now: Instant) {
        let Some(negotiation) = &mut self.negotiation else {
            return self.end(now, HangupCause::InternalError, Refusal::of(HangupCause::InternalError));
        };
        let sdp = negotiation.offer();
        self.state = State::Calling { until: now + self.policy.ring_timeout };
        self.outputs.push_back(Output::Answer(CallAnswer::Invite { sdp }));
    }

    fn ring(&mut self, now: Instant) {
        self.state = State::Ringing { until: now + self.policy.ring_timeout };
        self.outputs.push_back(Output::Answer(CallAnswer::Ring));
        self.event(now, Event::Ringing { status: 180 });
    }

    fn answer(&mut self, now: Instant, offer: &[u8]) {
        let Some(negotiation) = &mut self.negotiation else {
            return self.end(now, HangupCause::InternalError, Refusal::of(HangupCause::InternalError));
        };
        match negotiation.handle_offer(offer) {
            Ok((sdp, agreement)) => {
                self.state = State::Answered { at: now, offered: false };
                self.answer = Answer::OnItsWay(Vec::new());
                self.outputs.push_back(Output::Answer(CallAnswer::Accept { sdp }));
                self.agree(now, agreement);
            }
            Err(error) => self.end(now, HangupCause::NotAcceptable, error.refusal()),
        }
    }

    fn answer_with_offer(&mut self, now: Instant) {
        let Some(negotiation) = &mut self.negotiation else {
            return self.end(now, HangupCause::InternalError, Refusal::of(HangupCause::InternalError));
        };
        let sdp = negotiation.offer();
        self.state = State::Answered { at: now, offered: true };
        self.answer = Answer::OnItsWay(Vec::new());
        self.outputs.push_back(Output::Answer(CallAnswer::Accept { sdp }));
    }

    /// The 200 has left. A CANCEL, or signaling's patience, may have been faster: then the log never says "answered".
    fn answer_is_out(&mut self, now: Instant) {
        let Answer::OnItsWay(agreed) = std::mem::replace(&mut self.answer, Answer::Out) else { return };
        self.event(now, Event::Answered);
        agreed.into_iter().for_each(|agreed| self.event(now, Event::Media(agreed)));
    }

    fn acknowledged(&mut self, now: Instant, answer: Option<Vec<u8>>) {
        self.answer_is_out(now);
        self.acknowledged_at.get_or_insert(now);
        self.event(now, Event::Acknowledged);
        if let State::Answered { at, offered: true } = self.state {
            self.state = State::Answered { at, offered: false };
            self.take_answer(now, answer);
        }
    }

    fn answered(&mut self, now: Instant, answer: Option<Vec<u8>>) {
        self.state = State::Answered { at: now, offered: false };
        self.answer = Answer::Out;
        self.acknowledged_at.get_or_insert(now);
        self.event(now, Event::Answered);
        self.take_answer(now, answer);
    }

    fn take_answer(&mut self, now: Instant, answer: Option<Vec<u8>>) {
        let taken = match (answer, &mut self.negotiation) {
            (Some(answer), Some(negotiation)) => negotiation.handle_answer(&answer),
            (None, _) | (_, None) => Err(MediaError::Missing),
        };
        match taken {
            Ok(agreement) => self.agree(now, agreement),
            Err(error) => self.end(now, HangupCause::NotAcceptable, error.refusal()),
        }
    }

    fn reoffer(&mut self, now: Instant, offer: Option<Vec<u8>>) {
        let State::Answered { at, .. } = self.state else { return };
        let Some(negotiation) = &mut self.negotiation else { return };
        if !self.reoffers.admit(now) {
            let refusal = ReofferRate::refusal();
            return self.outputs.push_back(Output::Answer(CallAnswer::RefuseReoffer(refusal)));
        }
        let Some(offer) = offer else {
            let sdp = negotiation.offer();
            self.state = State::Answered { at, offered: true };
            self.outputs.push_back(Output::Answer(CallAnswer::AcceptReoffer { sdp }));
            return;
        };
        match negotiation.handle_offer(&offer) {
            Ok((sdp, agreement)) => {
                self.outputs.push_back(Output::Answer(CallAnswer::AcceptReoffer { sdp }));
                self.agree(now, agreement);
            }
            Err(error) => self.outputs.push_back(Output::Answer(CallAnswer::RefuseReoffer(error.refusal()))),
        }
    }

    fn agree(&mut self, now: Instant, agreement: Agreement) {
        match &mut self.answer {
            Answer::OnItsWay(agreed) => agreed.push(agreement.agreed),
            Answer::None | Answer::Out => self.event(now, Event::Media(agreement.agreed)),
        }
        self.destination.handle_media(agreement.media.codec);
        match &mut self.session {
            Some(session) => session.renegotiate(now, agreement.media),
            None => {
                let networks = self.media_sources.iter().map(|net| (net.addr(), net.prefix_len())).collect();
                let config = SessionConfig {
                    media: agreement.media,
                    latch: LatchPolicy { networks },
                    jitter: JitterConfig { target: self.policy.jitter, clock_rate: 8000 },
                    release: self.destination.release(),
                    cname: format!("{:016x}", self.seeds.next_u64()),
                };
                self.session = Some(Session::new(config, self.seeds.next_u64(), now));
            }
        }
    }

    fn hear(&mut self, now: Instant, tap: &mut dyn MediaTap) {
        match self.destination.release() {
            Release::InOrder => self.hear_in_order(now, self.tick, tap),
            Release::Paced => {
                let Some(session) = &mut self.session else { return };
                if let Some(frame) = session.next_paced(now) {
                    self.destination.hear(now, &frame);
                    tap_paced(self.tick, &frame, tap);
                }
            }
        }
    }

    fn hear_in_order(&mut self, now: Instant, tick: u32, tap: &mut dyn MediaTap) {
        let Some(session) = &mut self.session else { return };
        while let Some(frame) = session.next_in_order(now) {
            // What the kernel kept may have arrived before the tick that the destination has seen.
            self.destination.hear(now.max(self.ticked_at), &frame);
            self.caller_timeline.push(tick, &frame, tap);
        }
    }

    fn speak(&mut self, now: Instant, tap: &mut dyn MediaTap) -> Option<Outgoing<'_>> {
        if self.state == State::Ended {
            return None;
        }
        let mut samples = [0; FRAME_SAMPLES];
        self.destination.speak(now, &mut samples);
        self.log_dialogue(now);
        tap.agent(self.tick, &samples);
        self.tick = self.tick.saturating_add(1);
        let is_silent = samples.iter().all(|sample| sample.unsigned_abs() <= SILENCE_PEAK);
        self.silent_ticks = if is_silent { self.silent_ticks.saturating_add(1) } else { 0 };
        self.session.as_mut()?.send(now, &samples)
    }

    fn observe_session(&mut self, now: Instant) {
        let at = since(self.started, now);
        let Some(session) = &mut self.session else { return };
        while let Some(event) = session.poll_event() {
            if let Some(digit) = observe::pressed_digit(&event) {
                self.destination.handle_digit(now, digit);
            }
            if let Some(event) = observe::session_event(event) {
                self.outputs.push_back(Output::Event(at, event));
            }
        }
    }

    fn serve_wishes(&mut self, now: Instant) {
        while let Some(wish) = self.destination.poll_wish(now) {
            let cause = match wish {
                Wish::HangUp => HangupCause::LocalBye,
                Wish::Fail => HangupCause::InternalError,
                Wish::SendDigits(digits) => {
                    self.send_digits(now, &digits);
                    continue;
                }
            };
            return self.end(now, cause, Refusal::of(cause));
        }
    }

    fn log_dialogue(&mut self, now: Instant) {
        while let Some(Noted { at, what }) = self.destination.poll_event() {
            let at = at.unwrap_or(now).min(now);
            self.event(at, Event::Dialogue(what.bounded().dated(since(self.started, at))));
        }
    }

    /// Keys that the session does not take (none agreed on, too many waiting) are missing in the log.
    fn send_digits(&mut self, now: Instant, digits: &[Digit]) {
        let is_queued = self.session.as_mut().is_some_and(|session| session.queue_dtmf(digits).is_ok());
        for event in observe::sent_digits(digits).filter(|_| is_queued) {
            self.event(now, event);
        }
    }

    fn check_deadlines(&mut self, now: Instant) {
        match self.state {
            State::Ringing { until } | State::Calling { until } if now >= until => {
                self.end(now, HangupCause::NoAnswer, Refusal::of(HangupCause::NoAnswer));
            }
            State::Answered { at, .. } if now >= at + self.policy.max_duration => {
                self.end(now, HangupCause::MaxDuration, Refusal::of(HangupCause::MaxDuration));
            }
            State::Answered { .. } if self.is_starved(now) => {
                self.end(now, HangupCause::RtpTimeout, Refusal::of(HangupCause::RtpTimeout));
            }
            State::New
            | State::Ringing { .. }
            | State::Calling { .. }
            | State::Answered { .. }
            | State::Ended => {}
        }
    }

    fn is_starved(&self, now: Instant) -> bool {
        // Without an ACK it is the ACK that is missing, which signaling notices.
        let Some((session, acknowledged_at)) = self.session.as_ref().zip(self.acknowledged_at) else {
            return false;
        };
        starvation::is_starved(&self.policy, session, acknowledged_at, now)
    }

    /// We end the call: signaling must still tell the peer.
    fn end(&mut self, now: Instant, cause: HangupCause, refusal: Refusal) {
        let status = match self.state {
            State::Answered { .. } => Some(200),
            State::New | State::Ringing { .. } => Some(refusal.status),
            State::Calling { .. } | State::Ended => None,
        };
        if matches!(self.state, State::Answered { .. }) {
            // Signaling takes the answer and this in their order: the 200 leaves first, then the BYE.
            self.answer_is_out(now);
        }
        self.outputs.push_back(Output::Answer(CallAnswer::End { cause, refusal }));
        self.finish(now, cause, status, None);
    }

    fn finish(&mut self, now: Instant, cause: HangupCause, status: Option<u16>, reason: Option<String>) {
        self.destination.finish(now);
        self.log_dialogue(now);
        if self.reoffers.refused() > 0 {
            self.event(now, Event::ReoffersRefused { count: self.reoffers.refused() });
        }
        let (talk, status) = match self.state {
            // The 200 never left: signaling had refused the call, or it was cancelled.
            State::Answered { .. } if self.answer != Answer::Out => (Duration::ZERO, status),
            State::Answered { at, .. } => (now.saturating_duration_since(at), status.or(Some(200))),
            State::New | State::Ringing { .. } | State::Calling { .. } | State::Ended => {
                (Duration::ZERO, status)
            }
        };
        self.state = State::Ended;
        self.outputs.push_back(Output::Ended(since(self.started, now), End { cause, status, reason, talk }));
    }

    fn event(&mut self, now: Instant, event: Event) {
        self.outputs.push_back(Output::Event(since(self.started, now), event));
    }

    /// Where the call's media is bound.
    pub fn bound(&self) -> Option<BoundMedia> {
        self.bound
    }
}

fn since(started: Instant, now: Instant) -> CallTime {
    now.saturating_duration_since(started).into()
}

/// The time between two ticks.
const TICK_MS: u128 = 20;
/// 200 ms of silence: a pause, not the closure of a plosive.
const SILENT_TICKS: u32 = 10;
/// About -60 dBFS: the idle noise of an analogue line.
const SILENCE_PEAK: u16 = 32;
