//! Whole calls with sipp: media negotiated early and late, hold, and the shapes in which carriers send them.

mod common;

use common::records::{count, directions, events_of, leg_quality, text};
use common::server::{Server, ServerSetup};
use common::sipp::{Sipp, Transport};

#[test]
fn a_call_is_answered_and_its_audio_flows_both_ways() {
    for transport in Transport::BOTH {
        let server = Server::start();
        Sipp::new("basic_call", "tone").over(transport).echoing().run(&server);
        let call = server.ended_call();
        assert_eq!(events_of(&call, "ended")[0]["cause"], "remote_bye");
        let leg = leg_quality(&call);
        // The call lasts a second: 50 packets, and what the machine's stalls take from them.
        for way in ["sent", "received"] {
            assert!(count(&leg, way) >= 25, "{way} over {transport:?}: {leg}");
        }
    }
}

#[test]
fn many_short_calls_are_all_answered() {
    for transport in Transport::BOTH {
        let server = ServerSetup::default().config("[limits]\ninvites_per_second_per_source = 1000").start();
        Sipp::new("short_call", "echo").over(transport).calls(100, 50).run(&server);
        let rows = server.ended_calls(100);
        assert!(rows.iter().all(|row| row["cause"] == "remote_bye"), "{rows:?}");
    }
}

#[test]
fn an_invite_without_an_offer_gets_one_and_the_answer_in_the_ack_counts() {
    for transport in Transport::BOTH {
        let server = Server::start();
        Sipp::new("late_offer", "tone").over(transport).echoing().run(&server);
        let call = server.ended_call();
        let media = events_of(&call, "media");
        assert_eq!(media.last().unwrap()["codec"], "PCMA", "{media:?}");
        let leg = leg_quality(&call);
        assert!(count(&leg, "received") >= 25, "{leg}");
    }
}

#[test]
fn hold_is_mirrored_in_all_its_forms_and_the_call_resumes() {
    for transport in Transport::BOTH {
        let server = Server::start();
        Sipp::new("hold_resume", "tone").over(transport).echoing().run(&server);
        let call = server.ended_call();
        assert_eq!(events_of(&call, "ended")[0]["cause"], "remote_bye");
        let directions = directions(&call);
        assert_eq!(directions[..3], ["sendrecv", "recvonly", "inactive"], "{directions:?}");
        assert_eq!(directions.last().unwrap(), "sendrecv", "{directions:?}");
    }
}

#[test]
fn the_codec_may_change_during_the_call() {
    for transport in Transport::BOTH {
        let server = Server::start();
        Sipp::new("codec_change", "tone").over(transport).echoing().run(&server);
        let codecs = events_of(&server.ended_call(), "media");
        assert_eq!((&codecs[0]["codec"], &codecs[1]["codec"]), (&"PCMU".into(), &"PCMA".into()));
    }
}

#[test]
fn a_reinvite_may_leave_the_offer_to_the_server() {
    for transport in Transport::BOTH {
        let server = Server::start();
        Sipp::new("late_offer_reinvite", "tone").over(transport).echoing().run(&server);
        assert_eq!(events_of(&server.ended_call(), "ended")[0]["cause"], "remote_bye");
    }
}

#[test]
fn media_that_is_not_wanted_gets_port_0() {
    let server = Server::start();
    Sipp::new("audio_and_video", "echo").run(&server);
}

#[test]
fn a_late_offer_without_a_usable_answer_is_hung_up_on() {
    let server = Server::start();
    for scenario in ["late_offer_refused", "late_offer_unanswered"] {
        Sipp::new(scenario, "echo").run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["cause"] == "not_acceptable"), "{rows:?}");
}

#[test]
fn a_call_through_two_proxies_keeps_its_route() {
    let server = Server::start();
    Sipp::new("twilio_shaped", "echo").echoing().run(&server);
    let ended = &events_of(&server.ended_call(), "ended")[0];
    assert_eq!(ended["cause"], "remote_bye");
    assert!(text(ended, "reason").contains("cause=16"), "the peer's Reason is kept: {ended}");
}

#[test]
fn the_servers_own_bye_takes_the_route_back() {
    let server = ServerSetup::default().config("[limits]\nmax_duration_s = 1").start();
    Sipp::new("twilio_shaped_server_bye", "echo").echoing().run(&server);
    assert_eq!(server.ended_calls(1)[0]["cause"], "max_duration");
}

#[test]
fn a_call_with_bare_uris_and_no_session_name_is_answered() {
    let server = Server::start();
    Sipp::new("exotel_shaped", "tone").over(Transport::Tcp).echoing().run(&server);
    let media = &events_of(&server.ended_call(), "media")[0];
    assert_eq!(media["codec"], "PCMA");
    assert_eq!(media["dtmf_payload_type"], 96);
}

#[test]
fn the_servers_bye_takes_the_connection_of_a_call_whose_route_says_tls() {
    let server = ServerSetup::default().config("[limits]\nmax_duration_s = 1").start();
    Sipp::new("exotel_shaped_server_bye", "echo").over(Transport::Tcp).echoing().run(&server);
    assert_eq!(server.ended_calls(1)[0]["cause"], "max_duration");
}

#[test]
fn a_telephone_number_as_request_uri_is_routed() {
    const ROUTE: &str = "[[route]]\nnumber = \"+910000000001\"\ndestination = \"echo\"";
    let server = ServerSetup::default().config(ROUTE).start();
    for transport in Transport::BOTH {
        Sipp::new("tel_uri", "+910000000001").over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["number"] == "+910000000001"), "{rows:?}");
}

#[test]
fn a_call_that_lasts_too_long_is_ended_by_the_server() {
    for transport in Transport::BOTH {
        let server = ServerSetup::default().config("[limits]\nmax_duration_s = 1").start();
        Sipp::new("server_bye", "echo").over(transport).echoing().run(&server);
        assert_eq!(server.ended_calls(1)[0]["cause"], "max_duration");
    }
}
