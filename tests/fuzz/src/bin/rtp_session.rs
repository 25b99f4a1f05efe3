//! Any course of datagrams, ticks and renegotiations in a session: no panic, and what goes out is sound.

#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use caly_rtp::codec::Codec;
use caly_rtp::dtmf::Digit;
use caly_rtp::jitter::{JitterConfig, Release};
use caly_rtp::latch::LatchPolicy;
use caly_rtp::packet::{Packet, PayloadType, RtpTime, SeqNo, Ssrc};
use caly_rtp::session::{Direction, EVENT_LIMIT, MediaConfig, Session, SessionConfig, TelephoneEvent};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Step {
    /// The next packet of a talker who keeps time.
    Talk {
        skipped: u8,
        octet: u8,
    },
    Packet {
        marker: bool,
        payload_type: u8,
        sequence: u16,
        timestamp: u32,
        ssrc: u8,
        payload: Vec<u8>,
    },
    Event {
        timestamp: u16,
        payload: [u8; 4],
    },
    Rtp {
        source: u8,
        datagram: Vec<u8>,
    },
    Rtcp {
        source: u8,
        datagram: Vec<u8>,
    },
    Tick {
        ms: u8,
    },
    Wait {
        ms: u16,
    },
    SkipTicks(u32),
    Digits(Vec<u8>),
    Renegotiate {
        is_a_law: bool,
        direction: u8,
        remote: Option<u8>,
        events: Option<u8>,
    },
    Release(bool),
    Goodbye,
}

struct Call {
    session: Session,
    release: Release,
    now: Instant,
    sequence: u16,
    timestamp: u32,
}

fuzz_target!(|steps: Vec<Step>| {
    let now = Instant::now();
    let release = Release::Paced;
    let config = SessionConfig {
        media: media(false, 0, Some(0), Some(101)),
        latch: LatchPolicy::default(),
        jitter: JitterConfig { target: Duration::from_millis(60), clock_rate: 8000 },
        release,
        cname: "caly".to_owned(),
    };
    let mut call = Call { session: Session::new(config, 1, now), release, now, sequence: 0, timestamp: 0 };
    for step in steps {
        call.take(step);
        let events = std::iter::from_fn(|| call.session.poll_event()).count();
        assert!(events <= EVENT_LIMIT);
    }
    let quality = call.session.quality();
    assert!((1.0..=4.5).contains(&quality.received.mos), "{quality:?}");
    assert!((0.0..=100.0).contains(&quality.received.loss_percent), "{quality:?}");
});

impl Call {
    fn take(&mut self, step: Step) {
        match step {
            Step::Talk { skipped, octet } => {
                self.sequence = self.sequence.wrapping_add(1 + u16::from(skipped));
                self.timestamp = self.timestamp.wrapping_add(160 * (1 + u32::from(skipped)));
                self.packet(&Packet {
                    timestamp: RtpTime(self.timestamp),
                    payload: &[octet; 160],
                    ..self.next()
                });
            }
            Step::Packet { marker, payload_type, sequence, timestamp, ssrc, payload } => {
                self.packet(&Packet {
                    marker,
                    payload_type: PayloadType(payload_type & 0x7f),
                    sequence: SeqNo(sequence),
                    timestamp: RtpTime(timestamp),
                    ssrc: Ssrc(ssrc.into()),
                    payload: &payload,
                });
            }
            Step::Event { timestamp, payload } => {
                self.sequence = self.sequence.wrapping_add(1);
                let timestamp = RtpTime(timestamp.into());
                let payload_type = PayloadType(101);
                self.packet(&Packet { payload_type, timestamp, payload: &payload, ..self.next() });
            }
            Step::Rtp { source, datagram } => {
                self.session.handle_rtp(self.now, address(source), &datagram);
            }
            Step::Rtcp { source, datagram } => self.session.handle_rtcp(self.now, address(source), &datagram),
            Step::Tick { ms } => self.tick(Duration::from_millis(ms.into())),
            Step::Wait { ms } => self.now += Duration::from_millis(ms.into()),
            Step::SkipTicks(missed) => self.session.skip_ticks(missed),
            Step::Digits(codes) => {
                let digits: Vec<_> = codes.into_iter().filter_map(Digit::from_event_code).collect();
                let _full = self.session.queue_dtmf(&digits);
            }
            Step::Renegotiate { is_a_law, direction, remote, events } => {
                self.session.renegotiate(self.now, media(is_a_law, direction, remote, events));
            }
            Step::Release(is_paced) => {
                self.release = if is_paced { Release::Paced } else { Release::InOrder };
                self.session.set_release(self.release);
            }
            Step::Goodbye => drop(self.session.goodbye(self.now).map(|outgoing| outgoing.datagram.to_vec())),
        }
    }

    /// The talker's packet at this point, still empty.
    fn next(&self) -> Packet<'static> {
        Packet {
            marker: false,
            payload_type: PayloadType(0),
            sequence: SeqNo(self.sequence),
            timestamp: RtpTime(self.timestamp),
            ssrc: Ssrc(7),
            payload: &[],
        }
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        let mut datagram = vec![0; packet.payload.len() + 12];
        packet.write_to(&mut datagram).expect("it has room");
        self.session.handle_rtp(self.now, address(0), &datagram);
    }

    fn tick(&mut self, late: Duration) {
        self.now += Duration::from_millis(20) + late;
        match self.release {
            Release::Paced => drop(self.session.next_paced(self.now)),
            Release::InOrder => {
                let frames = std::iter::from_fn(|| self.session.next_in_order(self.now)).take(1000).count();
                assert!(frames < 1000, "an endless supply of frames");
            }
        }
        if let Some(outgoing) = self.session.send(self.now, &[0; 160]) {
            let sent = Packet::parse(outgoing.datagram).expect("what we send is RTP");
            assert!(sent.payload.len() == 160 || sent.payload.len() == 4);
        }
        let _report = self.session.poll_rtcp(self.now);
    }
}

fn media(is_a_law: bool, direction: u8, remote: Option<u8>, events: Option<u8>) -> MediaConfig {
    let directions = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let codec = if is_a_law { Codec::Pcma } else { Codec::Pcmu };
    let number = if is_a_law { 8 } else { 0 };
    MediaConfig {
        codec,
        send_payload_type: number,
        receive_payload_type: number,
        telephone_event: events.map(|number| TelephoneEvent {
            send_payload_type: 96 + number % 32,
            receive_payload_type: 96 + number % 32,
        }),
        direction: directions[usize::from(direction) % directions.len()],
        remote_rtp: remote.map(address),
        remote_rtcp: None,
    }
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number % 4], 4000 + u16::from(number / 4)))
}
