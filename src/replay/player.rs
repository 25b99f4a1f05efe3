//! The loop: moves virtual time from event to event - a packet, a timer, a slot - and lets the parts of the server run.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_sip::endpoint::Transmit;
use caly_sip::message::{Message, Method, Request, Response, StatusCode};
use caly_sip::transport::{Flow, Transport};
use rtrb::RingBuffer;

use super::ReplayConfig;
use super::hold_back::{HoldBack, InviteId};
use super::outcome::Outcome;
use super::plan::{Input, Plan, Sip, What, audio_of};
use super::stage::{Arrived, Stage};
use super::timing::millis;
use crate::call::log::{Record, UnixMicros};
use crate::call::route::Routing;
use crate::capture::Capture;
use crate::config::{NumberPattern, Route};
use crate::engine::clock::Wake;
use crate::engine::{Shard, ShardLinks};
use crate::recorder::{Recorder, RecorderDesk};
use crate::seed::Seeds;
use crate::signaling::{Control, Moment, ShardPort, SignalingConfig, Step, Switchboard, SwitchboardLinks};
use crate::store::{EventReceiver, event_ring};

/// One server in virtual time.
pub(super) struct Player {
    switchboard: Switchboard,
    shard: Shard<Stage>,
    recorder: RecorderDesk,
    events: [EventReceiver; 2],
    stage: Stage,
    local: SocketAddr,
    media: HashMap<String, SocketAddr>,
    hold_back: HoldBack,
    start: Instant,
    /// Wall-clock time of `start`, since the Unix epoch.
    start_wall: Duration,
    now: Instant,
    recorder_due: Instant,
    /// Signaling has come to its end; its timers mean nothing any more.
    has_ended: bool,
    is_stopped: bool,
    records: Vec<Record>,
    messages: u64,
}

impl Player {
    pub(super) fn new(plan: &Plan, config: ReplayConfig<'_>) -> Self {
        let (start, stage) = (config.start, Stage::new(config.start));
        let mut seeds = Seeds::new(SEED);
        let (requests, inbox) = RingBuffer::new(RING);
        let (outbox, answers) = RingBuffer::new(RING);
        let ((shard_events, from_shard), (board_events, from_board)) = (event_ring(), event_ring());
        let (recorder, mut ports) = Recorder::by_hand(config.recordings, 1);
        let everything = Route {
            trunk: None,
            source: None,
            number: NumberPattern::Prefix(String::new()),
            destination: config.agent,
            record: true,
        };
        let signaling = SignalingConfig {
            listen: plan.local,
            advertise: None,
            user_agent: None,
            routing: Routing::new(Vec::new(), vec![everything], plan.peers.clone()),
            destinations: config.destinations,
            max_calls: usize::MAX,
            invites_per_second: INVITES_PER_SECOND,
            seeds: Seeds::new(seeds.next_key()),
        };
        let links = SwitchboardLinks { shards: vec![ShardPort { requests, answers }], events: board_events };
        let switchboard = Switchboard::new(signaling, plan.local, links, Arc::default());
        let recorder_port = ports.remove(0);
        let capture = Capture::off();
        let links = ShardLinks { inbox, outbox, events: shard_events, recorder: recorder_port, capture };
        Self {
            switchboard,
            shard: Shard::new(config.policy, links, stage.clone(), seeds),
            recorder,
            events: [from_board, from_shard],
            stage,
            local: plan.local,
            media: plan.media.clone(),
            hold_back: HoldBack::default(),
            start,
            start_wall: plan.inputs.first().map_or(Duration::ZERO, |input| input.at),
            now: start,
            recorder_due: start,
            has_ended: false,
            is_stopped: false,
            records: Vec::new(),
            messages: 0,
        }
    }

    /// Feeds everything, lets the last calls end, and tells what happened.
    pub(super) fn run(mut self, plan: Plan) -> Outcome {
        let passed_over = plan.passed_over;
        for input in plan.inputs {
            self.wait_until(self.start + input.at.saturating_sub(self.start_wall));
            if let Some(input) = self.hold_back.admit(input) {
                self.feed(input);
            }
        }
        self.run_until(self.now + GRACE);
        let last = self.now + PATIENCE;
        while !self.hold_back.is_empty() && self.now < last {
            self.run_until(self.now + SLOT);
        }
        let (unfinished, withheld) = (self.switchboard.active_calls(), self.hold_back.withheld());
        // What ends the calls now is no answer to them.
        self.hold_back = HoldBack::default();
        self.order(Control::HangUpAll);
        self.run_until(self.now + GRACE);
        self.order(Control::Stop);
        // Signaling gives the last transactions its time, the shard the recorder's.
        let last = self.now + END;
        while !self.is_stopped && self.now < last {
            self.run_until(self.now + SLOT);
        }
        self.recorder.close();
        self.collect();
        let duration = self.now.saturating_duration_since(self.start);
        let mut outcome = Outcome::of(self.records, self.start_wall, &self.stage);
        outcome.duration_ms = millis(duration);
        outcome.sip_messages = self.messages;
        outcome.passed_over = passed_over;
        outcome.sip_withheld = withheld;
        outcome.unfinished_calls = unfinished;
        outcome
    }

    /// Lets the time pass, and skips what there is of it without any call: a capture may last for days, and a packet's damaged
    /// time lie years away.
    fn wait_until(&mut self, until: Instant) {
        while self.now < until {
            let was_idle = self.switchboard.active_calls() == 0;
            self.run_until(until.min(self.now + IDLE));
            if was_idle && self.switchboard.active_calls() == 0 {
                self.set_now(until);
            }
        }
    }

    /// Lets everything run that is due up to `until`, and moves the time there.
    fn run_until(&mut self, until: Instant) {
        loop {
            let timer = if self.has_ended { None } else { self.switchboard.poll_timeout() };
            let due = [Some(self.shard.next_due()), timer];
            let next = due.into_iter().flatten().min().unwrap_or(until).max(self.now);
            if next > until || self.is_stopped {
                break;
            }
            self.set_now(next);
            self.turn();
            if let Some(input) = self.hold_back.release() {
                self.feed(input);
            }
        }
        self.set_now(until.max(self.now));
    }

    fn turn(&mut self) {
        self.switchboard.handle_timeout(self.now);
        self.drain();
        if self.shard.next_due() <= self.now {
            self.turn_shard();
        }
        if self.now >= self.recorder_due {
            self.recorder_due = self.now + RECORDER_INTERVAL;
            self.recorder.turn();
            self.collect();
        }
        if !self.has_ended && self.switchboard.is_done(self.now) {
            self.has_ended = true;
            self.switchboard.handle_end(self.now);
            self.drain();
            self.switchboard.stop_shards();
        }
    }

    fn turn_shard(&mut self) {
        let goes_on = self.shard.turn(&Wake::at(self.now, self.unix()));
        self.is_stopped |= !goes_on;
        self.drain();
    }

    /// An input, and those that have waited for what comes of it.
    fn feed(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next {
            let is_media = matches!(input.what, What::Media(..));
            self.feed_one(input);
            self.drain();
            if is_media {
                return;
            }
            // At once and not in the next slot: who waits for the answer waits as short as in the server.
            self.turn_shard();
            next = self.hold_back.release();
        }
    }

    fn feed_one(&mut self, input: Input) {
        let Input { at, from, what } = input;
        let flow = |transport| Flow { transport, local: self.local, remote: from };
        match what {
            What::Sip(Sip { transport, framed, tag, waits_for: _ }) => {
                let flow = flow(transport);
                self.messages += 1;
                self.switchboard.set_next_tag(tag);
                self.switchboard.handle_message(self.now, flow, *framed);
                self.switchboard.set_next_tag(None);
            }
            What::Closed => {
                let flow = flow(Transport::Tcp);
                self.switchboard.handle_transport_error(self.now, flow);
            }
            What::Media(to, bytes) => self.stage.deliver(to, Arrived { from, at, bytes }),
        }
    }

    fn order(&mut self, order: Control) {
        self.switchboard.handle_order(self.moment(), order);
        self.drain();
    }

    /// Answers of the shard, events and messages, until there are none.
    fn drain(&mut self) {
        while self.switchboard.handle_answer(self.now) {}
        loop {
            let mut is_idle = true;
            loop {
                match self.switchboard.handle_event(self.moment()) {
                    Step::Idle => break,
                    Step::Done => {}
                    // There is no network to ask.
                    Step::Ask(query) => self.switchboard.handle_resolved(self.now, query.id, &[]),
                }
                is_idle = false;
            }
            while let Some(transmit) = self.switchboard.poll_transmit() {
                is_idle = false;
                self.note_sent(&transmit);
            }
            if is_idle {
                return;
            }
        }
    }

    fn note_sent(&mut self, transmit: &Transmit) {
        match Message::parse_datagram(&transmit.bytes) {
            Ok(Message::Response(response)) => self.note_answer(&response),
            Ok(Message::Request(request)) => self.answer_bye(&request, transmit),
            // We write no such thing.
            Err(_) => {}
        }
    }

    /// Our answer names the port that takes the place of the captured one, and lets the captured ACK come.
    fn note_answer(&mut self, response: &Response) {
        let Ok(essentials) = response.essentials() else { return };
        if essentials.cseq.method != Method::Invite {
            return;
        }
        let (call_id, cseq) = (essentials.call_id, essentials.cseq.number);
        if let (Some(ours), Some(&captured)) = (audio_of(&response.body), self.media.get(&call_id)) {
            self.stage.map(captured, ours.port());
        }
        if response.status.is_final() {
            self.hold_back.note_answered(InviteId { call_id, cseq });
        }
    }

    /// Nobody in the capture answers a BYE that is of now: the peer says yes to it, as every peer does.
    fn answer_bye(&mut self, request: &Request, transmit: &Transmit) {
        if request.method != Method::Bye {
            return;
        }
        let target = transmit.target;
        let flow = Flow { transport: target.transport, local: self.local, remote: target.remote };
        let yes = Message::Response(request.response(StatusCode::OK));
        self.switchboard.handle_message(self.now, flow, Ok(yes));
    }

    fn collect(&mut self) {
        for events in &mut self.events {
            self.records.extend(std::iter::from_fn(|| events.next()));
        }
    }

    fn set_now(&mut self, now: Instant) {
        self.now = now;
        self.stage.set_now(now);
    }

    fn unix(&self) -> Duration {
        self.start_wall + self.now.saturating_duration_since(self.start)
    }

    fn moment(&self) -> Moment {
        let micros = i64::try_from(self.unix().as_micros()).unwrap_or(i64::MAX);
        Moment { now: self.now, wall: UnixMicros(micros) }
    }
}

/// Every run draws the same random numbers.
const SEED: [u64; 2] = [0x4341_4c59, 1];
/// As many requests and answers as the server's rings hold.
const RING: usize = 4096;
/// A capture is no flood: nothing is refused for its rate.
const INVITES_PER_SECOND: u32 = 1_000_000;
/// After the last packet, and after the order to hang up: what is under way ends by itself.
const GRACE: Duration = Duration::from_secs(1);
/// How long after the capture's end an answer may come that messages wait for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer than the shard waits for the recorder, and signaling for its last transactions.
const END: Duration = Duration::from_secs(30);
const SLOT: Duration = Duration::from_millis(5);
/// Longer than anything of a call that is over goes on.
const IDLE: Duration = Duration::from_secs(40);
/// As the recorder's thread has it.
const RECORDER_INTERVAL: Duration = Duration::from_millis(250);
