//! Models that hear and speak are asked for a sentence.

use caly_vendors::gemini_live::GeminiLive;
use caly_vendors::openai_realtime::OpenAiRealtime;

use super::*;

fn model() -> Model {
    Model::new([Rule::always().say("Hello, this is a test.")], TokenPace::default())
}

/// Both vendors at one address.
fn both(model: &Model, seen: &Seen) -> Paths {
    let (script, manner) = (Script::new([]), Manner::default());
    Paths::default()
        .with("/v1/realtime", OpenAiRealtime::new(&script, manner, model.clone(), seen))
        .with("/ws/", GeminiLive::new(&script, manner, model.clone(), seen))
}

const BOTH: &str = r#"
realtime.gemini = { kind = "gemini", key_env = "KEY", url = "WS/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", model = "models/gemini-3.8-live" }
realtime.gpt = { kind = "openai", key_env = "KEY", url = "WS/v1", model = "gpt-realtime-2.1" }
"#;

/// The last of them, alone.
fn gpt() -> &'static str {
    BOTH.lines().last().unwrap()
}

/// As [`lines`], without the time that the session took.
async fn told(text: &str, server: &Server) -> Vec<String> {
    let lines = lines(&config(text, server), PATIENT).await;
    let timeless = |line: String| match line.split_once("set up in ") {
        Some((before, rest)) => {
            format!("{before}set up in N{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line,
    };
    lines.into_iter().map(timeless).collect()
}

#[tokio::test]
async fn a_model_that_speaks_is_asked_for_a_sentence() {
    let seen = Seen::default();
    let server = Server::start(Stage::new(both(&model(), &seen), &seen)).await.unwrap();
    let expected = [
        "realtime.gemini: first sound after N ms, gemini models/gemini-3.8-live, session set up in N ms, voice Kore, 1440 ms of linear16 24000 Hz",
        "realtime.gpt: first sound after N ms, openai gpt-realtime-2.1, session set up in N ms, voice marin, 1414 ms of mulaw 8000 Hz, request sess_1",
    ];
    assert_eq!(told(BOTH, &server).await, expected);
    assert_eq!((seen.complaints(), seen.arrivals()), (Vec::new(), 2));
    // Nobody else's sound is sent, and nothing but the one sentence is asked for.
    let asked = seen.texts().iter().filter(|text| text.contains("Hello, this is a test.")).count();
    assert_eq!((asked, seen.texts().len()), (2, 4), "{:?}", seen.texts());
}

#[tokio::test]
async fn whatever_can_be_set_is_taken() {
    let gpt = |keys: &str| gpt().replace(" }", &format!(", {keys} }}"));
    let gemini = |keys: &str| BOTH.lines().nth(1).unwrap().replace(" }", &format!(", {keys} }}"));
    let settings = [
        gpt(
            "turns = \"server\", threshold = 0.4, prefix_padding_ms = 200, silence_ms = 400, interrupts = true",
        ),
        gpt(
            "turns = \"semantic\", eagerness = \"high\", transcription_model = \"gpt-transcribe\", speed = 1.2",
        ),
        gpt("turns = \"caly\", transcribes = false, voice = \"cedar\", noise_reduction = \"near_field\""),
        gpt(
            "max_output_tokens = 800, extra = { reasoning = { effort = \"low\" } }, recycle_after_seconds = 60",
        ),
        gemini("silence_ms = 400, voice = \"Puck\", extra = { temperature = 0.5 }"),
        gemini("turns = \"caly\", transcribes = false, recycle_after_seconds = 60"),
    ];
    let seen = Seen::default();
    let server = Server::start(Stage::new(both(&model(), &seen), &seen)).await.unwrap();
    let named = |(number, line): (usize, &String)| {
        let (_, table) = line.split_once(" = ").unwrap();
        format!("realtime.s{number} = {table}\n")
    };
    let text: String = settings.iter().enumerate().map(named).collect();
    let reports = ask_providers(&config(&text, &server), PATIENT).await.unwrap();
    assert_eq!(reports.len(), settings.len());
    for (report, line) in reports.iter().zip(&settings) {
        assert!(report.is_ok, "{line}: {report}");
    }
    assert_eq!(seen.complaints(), [""; 0]);
}

#[tokio::test]
async fn a_model_that_does_not_know_the_key_the_model_or_the_voice_is_told_in_a_line() {
    let seen = Seen::default();
    let server = Server::start(Stage::new(both(&model(), &seen), &seen)).await.unwrap();
    let lines = told(&BOTH.replace("\"KEY\"", "\"BAD_KEY\""), &server).await;
    let advice = "; check the key, what it may do, and the account's balance";
    for (line, begins) in lines
        .iter()
        .zip(["realtime.gemini: unauthorized: status 403: ", "realtime.gpt: unauthorized: status 401: "])
    {
        assert!(line.starts_with(begins) && line.ends_with(advice), "{line}");
        assert!(!line.contains("somebody"), "{line}");
    }
    let lines = told(&gpt().replace("-2.1", "-0"), &server).await;
    assert!(lines[0].starts_with("realtime.gpt: not_found: status 404: "), "{lines:?}");
    let lines = told(&gpt().replace(" }", ", voice = \"nobody\" }"), &server).await;
    assert_eq!(
        lines,
        [
            "realtime.gpt: refused: invalid_request_error: invalid_value: Invalid voice: \"nobody\", request sess_1; check the settings that the provider complains of"
        ]
    );
}

#[tokio::test]
async fn sound_of_another_format_and_silence_are_told() {
    let seen = Seen::default();
    let played = |fault| Faults::default().with(When::From(1), fault);
    let at = |fault| Server::start(Stage::new(both(&model(), &seen), &seen).with_faults(played(fault)));
    let server = at(Played::WrongAudio).await.unwrap();
    for line in told(BOTH, &server).await {
        assert!(line.contains(": wrong_audio: a compressed file where plain audio was asked for"), "{line}");
    }
    let server = at(Played::Silence(0xff)).await.unwrap();
    let lines = told(gpt(), &server).await;
    assert!(lines[0].starts_with("realtime.gpt: silent: "), "{lines:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_that_has_no_sound_is_told() {
    let seen = Seen::default();
    let late = TokenPace { first: Duration::from_secs(60), each: Duration::ZERO };
    let late = Model::new([Rule::always().say("Hello.")], late);
    let server = Server::start(Stage::new(both(&late, &seen), &seen)).await.unwrap();
    let impatient = BOTH.replace(" }", ", first_ms = 100 }");
    let advice =
        "the provider is slow; choose a nearer region or a faster model, or put a second provider behind it";
    let expected = [
        format!("realtime.gemini: timeout: no answer came in time; {advice}"),
        format!("realtime.gpt: timeout: the answer stood still, request sess_1; {advice}"),
    ];
    assert_eq!(told(&impatient, &server).await, expected);
    let long = Model::new([Rule::always().say(&"word ".repeat(60))], TokenPace::default());
    let server = Server::start(Stage::new(both(&long, &seen), &seen)).await.unwrap();
    let lines = told(gpt(), &server).await;
    assert!(lines[0].starts_with("realtime.gpt: too_long: more than 15 s of sound"), "{lines:?}");
    let caller = Model::new([Rule::always().call("track", "{}")], TokenPace::default());
    let server = Server::start(Stage::new(both(&caller, &seen), &seen)).await.unwrap();
    let lines = told(gpt(), &server).await;
    assert!(lines[0].starts_with("realtime.gpt: malformed: it wants a tool, track,"), "{lines:?}");
}

/// What it says before nothing comes is a part of the fault.
#[tokio::test]
async fn what_the_vendor_complained_of_stands_with_the_fault() {
    let server = Server::start(Grumbler).await.unwrap();
    let lines = told(&gpt().replace(" }", ", first_ms = 200 }"), &server).await;
    let expected = "realtime.gpt: refused: invalid_request_error: quota_of_voices: ask sales; then no answer came in time, \
        request sess_9; check the settings that the provider complains of";
    assert_eq!(lines, [expected]);
}

/// Sets up a session, then refuses to answer in words that belong to nothing.
struct Grumbler;

impl Vendor for Grumbler {
    fn open(&mut self, now: Duration, _arrival: &Arrival) -> Answer {
        let mut outbox = Outbox::default();
        for said in [
            r#"{"type":"session.created","session":{"id":"sess_9"}}"#,
            r#"{"type":"session.updated","session":{"id":"sess_9"}}"#,
            r#"{"type":"error","error":{"type":"invalid_request_error","code":"quota_of_voices","message":"ask sales"}}"#,
        ] {
            outbox.at(now, Action::Send(Frame::Text(said.to_owned())));
        }
        Answer::Upgrade(Vec::new(), Box::new(Body(outbox)))
    }
}
