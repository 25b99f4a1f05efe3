//! All providers stand still for half a minute in the middle of several calls: what goes over the wire is what goes there in the same calls with
//! providers that are well, and no caller is left alone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod thinking;

use std::sync::LazyLock;
use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly::call::hop::{Hop, HopEvent};
use caly_vendors::model::Rule;

use thinking::{Outcome, Saying, Scene, When, play_together};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// They stand still from then on.
const FROM: Duration = ms(12_000);
/// Until then.
const UNTIL: Duration = ms(42_000);
/// How long the calls are watched.
const LASTS: Duration = ms(60_000);

/// What a caller waits at most until he hears something.
const LONGEST: Duration = ms(2_200);

/// In one of them the caller is speaking when it begins, in others the model thinks, the synthesizer speaks, or everybody waits.
fn scene(realtime: &[&'static str], number: u64) -> Scene {
    let at = |at_ms: u64, text: &'static str| Saying { when: When::At(ms(at_ms)), text };
    Scene {
        realtime: realtime.to_vec(),
        says: vec![
            at(3_000, "mera order kahan hai"),
            at(7_600 + 500 * number, "aur mera refund kab aayega"),
            at(20_000, "hello aap sun rahe hain"),
            at(46_000, "mera order kahan hai"),
        ],
        rules: vec![
            Rule::user("order").say("Aapka order raste mein hai."),
            Rule::always()
                .say("Refund kal tak aa jayega. Paise usi khaate mein aayenge. Aapko message milega."),
        ],
        lasts: LASTS,
        ..Scene::default()
    }
}

/// Calls by a recognizer, a model and a synthesizer, and calls by a model that hears and speaks.
fn calls(is_standing_still: bool) -> Vec<Outcome> {
    let kinds: [(&[&str], u64); 2] = [(&[], 10), (&["openai"], 6)];
    kinds.into_iter().flat_map(|(realtime, count)| calls_by(realtime, count, is_standing_still)).collect()
}

fn calls_by(realtime: &[&'static str], count: u64, is_standing_still: bool) -> Vec<Outcome> {
    let scenes: Vec<Scene> = (0..count).map(|number| scene(realtime, number)).collect();
    if is_standing_still {
        scenes.iter().for_each(|scene| scene.pause.set(FROM, UNTIL));
    }
    play_together(scenes)
}

/// Both tests look at them.
static TROUBLED: LazyLock<Vec<Outcome>> = LazyLock::new(|| calls(true));

#[test]
fn rtp_does_not_notice_that_all_providers_stand_still() {
    for (number, (calm, troubled)) in calls(false).iter().zip(&*TROUBLED).enumerate() {
        let shown = || format!("call {number}\n{}", troubled.shown());
        assert!(
            calm.script_since().is_none() && calm.ended.is_none(),
            "the control is well: {}",
            calm.shown()
        );
        let until = troubled.ended.unwrap_or(LASTS);
        // Who goes on by the script and hears nothing of the caller says goodbye in time.
        assert!(until > FROM + ms(20_000), "{}", shown());
        // One packet every 20 ms, and in each but for the sound what the calm call sent.
        assert_eq!(troubled.sent.len() as u128, until.as_millis() / 20, "{}", shown());
        for (packet, expected) in troubled.sent.iter().zip(&calm.sent) {
            let heads = [packet, expected]
                .map(|sent| (sent.at, sent.sequence, sent.timestamp, sent.ssrc, sent.payload_type));
            assert_eq!(heads[0], heads[1], "{}", shown());
        }
        let quality = &troubled.quality;
        // In the tick in which the agent hangs up the caller is heard for the last time.
        assert_eq!(quality.received, quality.sent + u64::from(troubled.ended.is_some()), "{}", shown());
        let wrong = [quality.lost, quality.late, quality.duplicate, quality.slips, quality.concealed_ms];
        assert_eq!(wrong, [0; 5], "{}", shown());
    }
}

#[test]
fn callers_whose_providers_stand_still_are_taken_care_of() {
    for (number, call) in TROUBLED.iter().enumerate() {
        let shown = || format!("call {number}\n{}", call.shown());
        let faults: Vec<Hop> = call
            .hops()
            .filter_map(|(at, event)| match event {
                HopEvent::Fault { hop, .. } if at >= FROM => Some(*hop),
                _ => None,
            })
            .collect();
        assert!(!faults.is_empty(), "no cause in the log: {}", shown());
        for saying in 0..call.said.len() {
            let waited = call.waited(saying);
            assert!(waited <= LONGEST, "nothing for {waited:?} behind saying {saying}: {}", shown());
        }
        let speaks_later =
            call.log.iter().any(|(at, what)| *at > UNTIL && matches!(what, Dialogue::Said { .. }));
        assert!(speaks_later || call.ended.is_some(), "left alone: {}", shown());
        // One for each hop, and no heap of those that were given up.
        assert!(call.open_links <= 3, "{} links: {}", call.open_links, shown());
    }
}
