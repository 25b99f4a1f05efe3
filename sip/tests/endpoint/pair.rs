//! Whole calls between two endpoints over networks good and bad.

use std::time::Duration;

use caly_sip::endpoint::Body;

use crate::network::{Network, Random, Weather};

const FAIR: Weather = Weather { loss: 0, repeats: 0, shortest_ms: 10, longest_ms: 10 };
const FOUL: Weather = Weather { loss: 200, repeats: 100, shortest_ms: 5, longest_ms: 300 };

#[test]
fn a_call_over_a_good_network_repeats_nothing() {
    let mut network = Network::new(1, FAIR);
    let id = network.call();
    network.run(Some(Duration::from_secs(60)));
    network.sides[0].endpoint.bye(network.now, id, None).unwrap();
    network.run(None);
    network.assert_over();
    for side in &network.sides {
        let counters = side.endpoint.counters();
        assert_eq!((counters.retransmissions_sent, counters.retransmissions_received), (0, 0));
        assert_eq!((counters.stray_responses, counters.stray_acks, counters.stray_requests), (0, 0, 0));
    }
    let story: Vec<_> = network.sides[1].story.values().next().unwrap().clone();
    assert_eq!(story, ["Invite", "Acknowledged", "Bye", "Terminated"]);
}

/// One packet in five lost, one in ten twice, up to 300 ms apart and out of order: every call stands and ends.
#[test]
fn calls_survive_loss_repeats_and_reordering() {
    for seed in 0..40 {
        let mut network = Network::new(seed, FOUL);
        let ids: Vec<_> = (0..25).map(|_| network.call()).collect();
        network.run(Some(Duration::from_secs(40)));
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(network.sides[0].count(*id, "Answered"), 1, "seed {seed} call {n}");
            if n % 2 == 0 {
                network.sides[0].endpoint.bye(network.now, *id, None).unwrap();
            }
        }
        for id in network.sides[1].sessions_with("Acknowledged").into_iter().skip(13) {
            let _crossed = network.sides[1].endpoint.bye(network.now, id, None);
        }
        network.run(Some(Duration::from_secs(40)));
        for id in ids {
            let _ended = network.sides[0].endpoint.bye(network.now, id, None);
        }
        network.run(None);
        network.assert_over();
        assert_eq!(network.sides[1].totals()["Invite"], 25, "no INVITE is taken for two");
        assert_eq!(network.sides[1].totals()["Acknowledged"], 25);
    }
}

/// Both sides hang up in the same instant.
#[test]
fn byes_cross_on_a_bad_network() {
    for seed in 100..120 {
        let mut network = Network::new(seed, FOUL);
        let id = network.call();
        network.run(Some(Duration::from_secs(40)));
        let other = network.sides[1].sessions_with("Acknowledged")[0];
        network.sides[0].endpoint.bye(network.now, id, None).unwrap();
        network.sides[1].endpoint.bye(network.now, other, None).unwrap();
        network.run(None);
        network.assert_over();
        assert_eq!((network.sides[0].count(id, "Bye"), network.sides[1].count(other, "Bye")), (0, 0));
    }
}

/// RFC 3261 14.1: both sides re-INVITE in the same instant; both get 491, wait their different times, and succeed.
#[test]
fn reinvites_that_cross_are_both_carried_out() {
    for seed in 200..230 {
        let weather = if seed % 2 == 0 { FAIR } else { FOUL };
        let mut network = Network::new(seed, weather);
        let id = network.call();
        network.run(Some(Duration::from_secs(40)));
        let other = network.sides[1].sessions_with("Acknowledged")[0];
        network.sides[0].endpoint.reinvite(network.now, id, Some(Body::sdp("v=1\r\n"))).unwrap();
        network.sides[1].endpoint.reinvite(network.now, other, Some(Body::sdp("v=2\r\n"))).unwrap();
        network.run(Some(Duration::from_secs(90)));
        assert_eq!(network.sides[0].count(id, "ReinviteAccepted"), 1, "seed {seed}");
        assert_eq!(network.sides[1].count(other, "ReinviteAccepted"), 1, "seed {seed}");
        let glare: u64 = network.sides.iter().map(|s| s.endpoint.counters().glare).sum();
        assert!(weather.loss > 0 || glare == 2, "{glare}");
        network.sides[0].endpoint.bye(network.now, id, None).unwrap();
        network.run(None);
        network.assert_over();
    }
}

/// RFC 3261 9, 15: cancelled at any moment, the call ends on both sides, whatever crosses.
#[test]
fn a_cancel_at_any_moment_ends_the_call_on_both_sides() {
    let mut random = Random(9);
    for seed in 300..500 {
        let mut network = Network::new(seed, FOUL);
        let id = network.call();
        network.run(Some(Duration::from_millis(random.below(1_500))));
        let _answered = network.sides[0].endpoint.cancel(network.now, id);
        network.run(Some(Duration::from_secs(120)));
        let _ended = network.sides[0].endpoint.bye(network.now, id, None);
        network.run(None);
        network.assert_over();
        let totals = network.sides[0].totals();
        let outcome = totals.get("Answered").unwrap_or(&0) + totals.get("Rejected").unwrap_or(&0);
        assert_eq!(outcome, 1, "seed {seed}: {:?}", network.sides[0].story);
    }
}

/// The peer vanishes: every session ends by its own patience.
#[test]
fn a_dead_network_leaves_nothing_behind() {
    let mut network = Network::new(7, FAIR);
    let id = network.call();
    network.run(Some(Duration::from_secs(1)));
    let mut dead = Network::new(7, Weather { loss: 1_000, ..FAIR });
    std::mem::swap(&mut dead.sides, &mut network.sides);
    dead.now = network.now;
    dead.sides[0].endpoint.reinvite(dead.now, id, None).unwrap();
    let other = dead.sides[1].sessions_with("Acknowledged")[0];
    dead.sides[1].endpoint.bye(dead.now, other, None).unwrap();
    dead.call();
    dead.run(None);
    dead.assert_over();
    assert_eq!(dead.sides[0].count(id, "Lost"), 1);
}

/// One seed gives one course of events.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let course = |seed| {
        let mut network = Network::new(seed, FOUL);
        let ids: Vec<_> = (0..5).map(|_| network.call()).collect();
        network.run(Some(Duration::from_secs(20)));
        for id in ids {
            let _ended = network.sides[0].endpoint.bye(network.now, id, None);
        }
        network.run(None);
        (network.sides[0].story.clone(), *network.sides[1].endpoint.counters())
    };
    assert_eq!(course(5), course(5));
    assert_ne!(course(5).1, course(6).1);
}
