//! What the other tests measure with is itself measured: tones, µ-law, and the test's own network.

mod common;

use std::net::{Ipv4Addr, UdpSocket};

use common::namespace::{OWN_ADDRESS, with_own_network};
use common::rtp_peer::{from_mu_law, mu_law};
use common::tone;

#[test]
fn a_tone_is_measured_as_it_was_made() {
    let mut signal = tone::sine(1_004.0, -10.0, 1.0);
    for (sample, other) in signal.iter_mut().zip(tone::sine(440.0, -30.0, 1.0)) {
        *sample += other;
    }
    assert!((tone::tone_db(&signal, 1_004.0) + 10.0).abs() < 0.1);
    assert!((tone::tone_db(&signal, 440.0) + 30.0).abs() < 0.1);
    assert!(tone::tone_db(&signal, 2_000.0) < -70.0);
    assert!((tone::frequency_hz(&signal) - 1_004.0).abs() < 0.2);
}

#[test]
fn a_delay_is_found() {
    let mut said: Vec<f64> =
        tone::sine(1_000.0, -10.0, 0.5).iter().zip(tone::sine(37.0, 0.0, 0.5)).map(|(a, b)| a * b).collect();
    let heard: Vec<f64> = std::iter::repeat_n(0.0, 413).chain(said.clone()).collect();
    said.truncate(3_000);
    assert_eq!(tone::delay_samples(&said, &heard, 800), 413);
}

#[test]
fn mu_law_keeps_a_tone() {
    let signal = tone::sine(1_000.0, -10.0, 0.5);
    let kept: Vec<f64> = signal.iter().map(|&sample| from_mu_law(mu_law(sample))).collect();
    assert!((tone::tone_db(&kept, 1_000.0) + 10.0).abs() < 0.1);
    let noise: Vec<f64> = signal.iter().zip(&kept).map(|(a, b)| a - b).collect();
    assert!(tone::level_db(&noise) < -45.0);
    assert_eq!((mu_law(0.0), mu_law(1.0), mu_law(-1.0)), (0xff, 0x80, 0x00));
}

#[test]
fn a_network_of_its_own_has_loopback_and_one_address() {
    with_own_network("a_network_of_its_own_has_loopback_and_one_address", || {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 5060)).expect("nobody else is here");
        UdpSocket::bind((OWN_ADDRESS, 5060)).expect("an address that is no loopback");
    });
    let outside = UdpSocket::bind((OWN_ADDRESS, 0));
    assert!(outside.is_err() || std::env::var_os("CALY_TEST_OUTER_NETWORK").is_some());
}

#[test]
#[should_panic(expected = "is this its name?")]
fn a_test_that_names_itself_wrongly_cannot_pass() {
    with_own_network("another_name", || ());
}

#[test]
#[should_panic(expected = "in its own network")]
fn a_test_that_fails_inside_fails_outside() {
    with_own_network("a_test_that_fails_inside_fails_outside", || panic!("inside"));
}
