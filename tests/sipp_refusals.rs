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
    assert!(rows.iter().all(|row| row["status"] == 488), "{rows:?}");
}

#[test]
fn what_nobody_understands_is_named_back() {
    let server = Server::start();
    for transport in Transport::BOTH {
        for scenario in ["unknown_method", "unknown_extension", "unknown_body", "unknown_encoding"] {
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
fn a_number_without_a_route_gets_404() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("no_route", "+910000000001").over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["status"] == 404), "{rows:?}");
}

#[test]
fn busy_gets_486() {
    let server = Server::start();
    for transport in Transport::BOTH {
        Sipp::new("busy", "busy").over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["status"] == 486), "{rows:?}");
}

#[test]
fn nobody_answers_and_the_ring_timeout_gives_480() {
    let server = ServerSetup::default().config("[limits]\nring_timeout_s = 1").start();
    for transport in Transport::BOTH {
        Sipp::new("ring_timeout", "ring").over(transport).run(&server);
    }
    let rows = server.ended_calls(2);
    assert!(rows.iter().all(|row| row["status"] == 480), "{rows:?}");
}

#[test]
fn one_call_more_than_the_limit_gets_503_with_retry_after() {
    let server = ServerSetup::default().config("[limits]\ncalls = 1\nmax_duration_s = 2").start();
    std::thread::scope(|scope| {
        // This call holds the only place until the server ends it.
        let first = scope.spawn(|| Sipp::new("server_bye", "echo").echoing().run(&server));
        common::wait::until("the first call", std::time::Duration::from_secs(10), || {
            server.calls().iter().any(|row| row["answered_at"].is_string()).then_some(())
        });
        for transport in Transport::BOTH {
            Sipp::new("overload", "echo").over(transport).run(&server);
        }
        first.join().expect("the first call is unharmed");
    });
    Sipp::new("short_call", "echo").run(&server);
    let statuses: Vec<String> = server.ended_calls(4).iter().map(|row| row["status"].to_string()).collect();
    assert_eq!(statuses.iter().filter(|status| *status == "503").count(), 2, "{statuses:?}");
}

#[test]
fn too_many_invites_in_a_second_from_one_source_get_503() {
    let server = ServerSetup::default().config("[limits]\ninvites_per_second_per_source = 1").start();
    Sipp::new("short_call", "echo").run(&server);
    Sipp::new("overload", "echo").run(&server);
}

#[test]
fn no_port_left_gets_503_and_the_next_call_is_fine() {
    let ports = common::ports::PortBlock::claim();
    let only = *ports.rtp().start();
    let server = ServerSetup::default()
        .rtp_ports(&format!("{only}-{}", only + 1))
        .config("[limits]\nmax_duration_s = 2")
        .start();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| Sipp::new("server_bye", "echo").echoing().run(&server));
        common::wait::until("the first call", std::time::Duration::from_secs(10), || {
            server.calls().iter().any(|row| row["answered_at"].is_string()).then_some(())
        });
        Sipp::new("overload", "echo").run(&server);
        first.join().expect("the first call is unharmed");
    });
    Sipp::new("short_call", "echo").run(&server);
}
