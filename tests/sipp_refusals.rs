//! What the server refuses, with sipp: the status, what the response must carry, and what is left of it.

mod common;

use common::server::{Server, ServerSetup};
use common::sipp::{Sipp, Transport};

#[test]
fn offers_without_common_media_get_488_with_a_warning() {
    let server = Server::start();
    for transport in Transport::BOTH {
        for scenario in ["no_common_codec", "secure_media", "video_only"] {
            Sipp::new(scenario, "echo").over(transport).run(&server);
        }
    }
    let rows = server.ended_calls(6);
    assert!(rows.iter().all(|row| row["status"] == 488 && row["cause"] == "not_acceptable"), "{rows:?}");
}

#[test]
fn what_nobody_understands_is_named_back() {
    let server = Server::start();
    const SCENARIOS: [&str; 5] =
        ["unknown_method", "unknown_extension", "unknown_body", "unknown_encoding", "unknown_scheme"];
    for transport in Transport::BOTH {
        for scenario in SCENARIOS {
            Sipp::new(scenario, "echo").over(transport).run(&server);
        }
    }
}

#[test]
fn requests_of_unknown_dialogs_get_481() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("unknown_dialog", "echo").over(transport).run(&server);
    }
    assert!(server.calls().is_empty(), "no call came of it");
}

#[test]
fn a_broken_request_gets_400() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("broken_request", "echo").over(transport).run(&server);
    }
    assert!(server.calls().is_empty(), "no call came of it");
}

#[test]
fn a_broken_offer_gets_400() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("broken_sdp", "echo").over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["status"] == 400), "{rows:?}");
}

#[test]
fn a_refusal_inside_a_call_leaves_it_alone() {
    let server = Server::start();
    for transport in Transport::BOTH {
        for scenario in ["refused_reinvite", "unknown_method_in_dialog", "cancel_too_late"] {
            Sipp::new(scenario, "echo").over(transport).run(&server);
        }
    }
    let rows = server.ended_calls(6);
    assert!(rows.iter().all(|row| row["status"] == 200 && row["cause"] == "remote_bye"), "{rows:?}");
}

#[test]
fn a_number_without_a_route_gets_404() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("no_route", "+910000000001").over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["status"] == 404 && row["cause"] == "not_found"), "{rows:?}");
}

#[test]
fn busy_gets_486() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("busy", "busy").over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["status"] == 486 && row["cause"] == "busy"), "{rows:?}");
}

#[test]
fn nobody_answers_and_the_ring_timeout_gives_480() {
    let server = ServerSetup::default().config("[limits]\nring_timeout_s = 1").start();
    for transport in Transport::BOTH {
        Sipp::new("ring_timeout", "ring").over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["status"] == 480 && row["cause"] == "no_answer"), "{rows:?}");
}
