//! Whose packets are the peer's: symmetric RTP (RFC 4961) that a third party cannot steer.
//!
//! The first packet from an expected address fixes the source: inside the trunk's media networks, or at the address in the
//! peer's SDP. A peer behind a NAT announces an address that never sends; its real source is taken once
//! [`PACKETS_TO_TRUST`] packets of one SSRC with consecutive sequence numbers have come from it - unless the trunk names its
//! media networks: then nobody outside of them and of the SDP is listened to. From then on nothing but a new negotiation
//! moves the source, with one exception: a stranger that was faster than the peer's first packet gives way when the host in
//! the SDP itself sends, once, in the first [`CONTEST_TIME`].

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use crate::packet::{SeqNo, Ssrc};

/// What is known about the peer before its first packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatchPolicy {
    /// The trunk's media networks in CIDR notation: any address of the network, and how many of its leading bits count (more than it
    /// has means all). First and last addresses are included, for media gateways do use them. Empty if the trunk has none.
    pub networks: Vec<(IpAddr, u8)>,
}

impl LatchPolicy {
    /// True if the address lies in one of the networks. An IPv4 address mapped into IPv6 counts as the IPv4 address it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|(network, prefix)| is_inside(*network, *prefix, address))
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the peer's.
    Accepted,
    /// It is the peer's, and the source is fixed by it.
    Latched,
    /// Its source may turn out to be the peer; the packet itself is not used.
    OnTrial,
    /// A third party's.
    Foreign,
}

/// The source check of one stream.
#[derive(Clone, Debug)]
pub struct Latch {
    policy: LatchPolicy,
    announced: Option<SocketAddr>,
    state: State,
}

impl Latch {
    /// An open latch. `announced` is the RTP address of the peer's SDP.
    pub fn new(policy: LatchPolicy, announced: Option<SocketAddr>) -> Self {
        Self { policy, announced: announced.map(canonical), state: State::Open(Trial::default()) }
    }

    /// Judges a packet by its source.
    pub fn handle_packet(
        &mut self,
        arrival: Instant,
        source: SocketAddr,
        ssrc: Ssrc,
        sequence: SeqNo,
    ) -> Verdict {
        let source = canonical(source);
        match &mut self.state {
            State::Fixed { peer, .. } if *peer == source => Verdict::Accepted,
            State::Fixed { contest: None, .. } => Verdict::Foreign,
            State::Fixed { contest: Some(contest), .. } => {
                let is_announced = self.announced.is_some_and(|announced| announced.ip() == source.ip());
                if !is_announced || arrival >= contest.until {
                    return Verdict::Foreign;
                }
                if !contest.trial.is_passed(source, ssrc, sequence) {
                    return Verdict::OnTrial;
                }
                self.state = State::Fixed { peer: source, contest: None };
                Verdict::Latched
            }
            State::Open(trial) => {
                let is_expected = is_expected(&self.policy, self.announced, source);
                // A trunk that names its media networks vouches for them; then nobody else is tried.
                if !is_expected && !self.policy.networks.is_empty() {
                    return Verdict::Foreign;
                }
                let was_left = trial.left == Some(source) && self.announced != Some(source);
                if is_expected && !was_left || trial.is_passed(source, ssrc, sequence) {
                    // Without a host in the SDP there is nobody who could have a better claim.
                    let contest = (!is_expected && self.announced.is_some())
                        .then(|| Contest { until: arrival + CONTEST_TIME, trial: Trial::default() });
                    self.state = State::Fixed { peer: source, contest };
                    return Verdict::Latched;
                }
                Verdict::OnTrial
            }
        }
    }

    /// Takes the RTP address of a new offer or answer. The latch opens again if it differs from the one before; the source
    /// that it leaves is not trusted at once, for its last packets are still on their way.
    pub fn renegotiate(&mut self, announced: Option<SocketAddr>) {
        let announced = announced.map(canonical);
        if announced.is_none() || announced == self.announced {
            return;
        }
        self.announced = announced;
        let left = match &self.state {
            State::Fixed { peer, .. } => Some(*peer),
            State::Open(trial) => trial.left,
        };
        self.state = State::Open(Trial { left, candidates: ArrayVec::new() });
    }

    /// The peer's source, once it is fixed.
    pub fn peer(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Fixed { peer, .. } => Some(*peer),
            State::Open(_) => None,
        }
    }

    /// True if RTCP from this source may be believed: from the peer's host, or, before the first RTP packet, from a host at
    /// which the peer is expected.
    pub fn trusts_host(&self, source: SocketAddr) -> bool {
        let source = canonical(source);
        match &self.state {
            State::Fixed { peer, .. } => peer.ip() == source.ip(),
            State::Open(_) => is_expected(&self.policy, self.announced, source),
        }
    }
}

#[derive(Clone, Debug)]
enum State {
    Open(Trial),
    Fixed {
        peer: SocketAddr,
        /// The peer won on trial, from a host that nobody had announced.
        contest: Option<Contest>,
    },
}

/// The time in which the announced host may still take its place from whoever won on trial.
#[derive(Clone, Debug)]
struct Contest {
    until: Instant,
    trial: Trial,
}

/// The sources that may turn out to be a peer behind a NAT.
#[derive(Clone, Debug, Default)]
struct Trial {
    /// The source before the last negotiation.
    left: Option<SocketAddr>,
    candidates: ArrayVec<Candidate, CANDIDATE_LIMIT>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: Ssrc,
    next: u16,
    consecutive: u16,
}

impl Trial {
    fn is_passed(&mut self, source: SocketAddr, ssrc: Ssrc, sequence: SeqNo) -> bool {
        let needed = if self.left == Some(source) { PACKETS_TO_RETURN } else { PACKETS_TO_TRUST };
        let next = sequence.0.wrapping_add(1);
        let known =
            self.candidates.iter_mut().find(|candidate| candidate.source == source && candidate.ssrc == ssrc);
        let Some(candidate) = known else {
            if self.candidates.is_full() {
                self.candidates.remove(0);
            }
            self.candidates.push(Candidate { source, ssrc, next, consecutive: 1 });
            return false;
        };
        let follows = candidate.next == sequence.0;
        candidate.consecutive = if follows { candidate.consecutive.saturating_add(1) } else { 1 };
        candidate.next = next;
        candidate.consecutive >= needed
    }
}

fn is_expected(policy: &LatchPolicy, announced: Option<SocketAddr>, source: SocketAddr) -> bool {
    policy.contains(source.ip()) || announced.is_some_and(|announced| announced.ip() == source.ip())
}

fn is_inside(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (network.to_canonical(), address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let ignored = u32::BITS.saturating_sub(u32::from(prefix));
            let difference = network.to_bits() ^ address.to_bits();
            difference.checked_shr(ignored).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let ignored = u128::BITS.saturating_sub(u32::from(prefix));
            let difference = network.to_bits() ^ address.to_bits();
            difference.checked_shr(ignored).unwrap_or(0) == 0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Consecutive packets of one SSRC that make an unannounced source the peer: 80 ms, as Asterisk's strict RTP asks for.
pub const PACKETS_TO_TRUST: u16 = 4;

/// How long after a stranger has won on trial the host in the SDP may still take its place. A peer that can send from the
/// address it announced does so within seconds of the answer; a longer time would only serve those who forge that address.
pub const CONTEST_TIME: Duration = Duration::from_secs(10);

/// Consecutive packets after which the source before a new negotiation is believed to be the peer still: one second, by
/// which time a peer that moved has stopped sending from there.
pub const PACKETS_TO_RETURN: u16 = 50;

/// Sources on trial at a time; a newer one displaces the oldest. More than one, so that a third party that sends in between
/// cannot keep the peer from being found.
pub const CANDIDATE_LIMIT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(network: &str, prefix: u8) -> LatchPolicy {
        LatchPolicy { networks: vec![(network.parse().unwrap(), prefix)] }
    }

    #[test]
    fn a_network_holds_its_first_and_last_address() {
        let policy = policy("168.86.128.0", 18);
        for inside in ["168.86.128.0", "168.86.191.255", "::ffff:168.86.150.1"] {
            assert!(policy.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["168.86.127.255", "168.86.192.0", "2001:db8::1"] {
            assert!(!policy.contains(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn prefixes_of_no_bits_and_of_too_many_bits_are_no_fault() {
        assert!(policy("10.0.0.1", 0).contains("203.0.113.9".parse().unwrap()));
        assert!(policy("10.0.0.1", 200).contains("10.0.0.1".parse().unwrap()));
        assert!(!policy("10.0.0.1", 200).contains("10.0.0.2".parse().unwrap()));
        assert!(policy("2001:db8::", 0).contains("::1".parse().unwrap()));
    }

    #[test]
    fn a_trunk_that_names_its_networks_is_never_latched_from_outside() {
        let announced = Some("10.0.0.5:4000".parse().unwrap());
        let mut latch = Latch::new(policy("168.86.128.0", 18), announced);
        let stranger = "203.0.113.7:9000".parse().unwrap();
        for sequence in 0..100 {
            assert_eq!(
                latch.handle_packet(Instant::now(), stranger, Ssrc(1), SeqNo(sequence)),
                Verdict::Foreign
            );
        }
        let gateway = "168.86.150.1:12692".parse().unwrap();
        assert_eq!(latch.handle_packet(Instant::now(), gateway, Ssrc(2), SeqNo(9)), Verdict::Latched);
    }

    #[test]
    fn a_third_party_that_sends_in_between_cannot_keep_the_peer_from_being_found() {
        let mut latch = Latch::new(LatchPolicy::default(), None);
        let peer = "198.51.100.7:4000".parse().unwrap();
        let mut verdict = Verdict::OnTrial;
        for number in 0..4_u16 {
            for port in 0..3 {
                let stranger = SocketAddr::new("203.0.113.5".parse().unwrap(), 9000 + port);
                latch.handle_packet(Instant::now(), stranger, Ssrc(u32::from(port)), SeqNo(number * 7));
            }
            verdict = latch.handle_packet(Instant::now(), peer, Ssrc(1), SeqNo(number.wrapping_sub(2)));
        }
        assert_eq!(verdict, Verdict::Latched);
        assert_eq!(latch.peer(), Some(peer));
    }

    /// Sends `count` packets with consecutive numbers; returns the last verdict.
    fn run(latch: &mut Latch, at: Instant, source: &str, first: u16, count: u16) -> Verdict {
        let source = source.parse().unwrap();
        let judge = |n| latch.handle_packet(at, source, Ssrc(u32::from(first)), SeqNo(first.wrapping_add(n)));
        (0..count).map(judge).last().unwrap()
    }

    #[test]
    fn a_stranger_that_was_faster_gives_way_to_the_announced_host_once() {
        let start = Instant::now();
        let later = start + CONTEST_TIME / 2;
        // The exact address, and another port of its host.
        for peer in ["10.0.0.5:4000", "10.0.0.5:62000"] {
            let mut latch = Latch::new(LatchPolicy::default(), Some("10.0.0.5:4000".parse().unwrap()));
            assert_eq!(run(&mut latch, start, "203.0.113.7:9000", 100, 4), Verdict::Latched);
            assert_eq!(run(&mut latch, later, "203.0.113.8:9000", 200, 50), Verdict::Foreign);
            assert_eq!(run(&mut latch, later, peer, 300, 3), Verdict::OnTrial);
            assert_eq!(run(&mut latch, later, "203.0.113.7:9000", 104, 1), Verdict::Accepted);
            assert_eq!(run(&mut latch, later, peer, 300, 4), Verdict::Latched);
            // Nobody gets it back, neither the stranger nor another port of the host.
            assert_eq!(run(&mut latch, later, "203.0.113.7:9000", 105, 500), Verdict::Foreign);
            assert_eq!(run(&mut latch, later, "10.0.0.5:7000", 400, 500), Verdict::Foreign);
            assert_eq!(latch.peer(), Some(peer.parse().unwrap()));
        }
    }

    #[test]
    fn whoever_won_on_trial_is_not_disturbed_after_the_contest() {
        let start = Instant::now();
        let mut latch = Latch::new(LatchPolicy::default(), Some("192.168.1.5:4000".parse().unwrap()));
        assert_eq!(run(&mut latch, start, "203.0.113.7:9000", 100, 4), Verdict::Latched);
        assert_eq!(run(&mut latch, start + CONTEST_TIME, "192.168.1.5:4000", 300, 500), Verdict::Foreign);
        assert_eq!(latch.peer(), Some("203.0.113.7:9000".parse().unwrap()));
    }

    #[test]
    fn the_announced_peer_is_not_contested() {
        let start = Instant::now();
        let mut latch = Latch::new(LatchPolicy::default(), Some("10.0.0.5:4000".parse().unwrap()));
        assert_eq!(run(&mut latch, start, "10.0.0.5:4000", 100, 1), Verdict::Latched);
        assert_eq!(run(&mut latch, start, "10.0.0.5:7000", 300, 500), Verdict::Foreign);
    }
}
