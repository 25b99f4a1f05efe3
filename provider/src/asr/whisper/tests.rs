use super::*;

fn token(text: &str, times: Option<(u64, u64)>) -> Token {
    let times = times.map(|(from, to)| (Duration::from_millis(from), Duration::from_millis(to)));
    Token { text: text.to_owned(), times, confidence: None }
}

fn http(request: Request) -> HttpRequest {
    let Request::Http(request) = request else { panic!("no HTTP") };
    request
}

#[test]
fn a_request_is_a_form_with_a_wav() {
    let request = http(
        Whisper(WhisperConfig::new("http://127.0.0.1:8000/v1/")).request(AudioFormat::PCM_16K, &[1, 2, 3, 4]),
    );
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.endpoint.url.as_str(), "http://127.0.0.1:8000/v1/audio/transcriptions");
    let content_type = Secret::new("multipart/form-data; boundary=caly-7f1d0b9e52c84a36");
    assert_eq!(request.endpoint.headers, [("content-type", content_type)]);
    let head = b"--caly-7f1d0b9e52c84a36\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\njson\r\n\
        --caly-7f1d0b9e52c84a36\r\nContent-Disposition: form-data; name=\"file\"; filename=\"audio.wav\"\r\n\
        Content-Type: audio/wav\r\n\r\n";
    let wav = b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\x04\0\0\0\x01\x02\x03\x04";
    let expected = [&head[..], wav, b"\r\n--caly-7f1d0b9e52c84a36--\r\n"].concat();
    assert_eq!(request.body, expected, "{}", String::from_utf8_lossy(&request.body));
}

#[test]
fn every_setting_is_in_the_request() {
    let mut config = WhisperConfig::new("http://127.0.0.1:8080");
    config.path = "/inference".to_owned();
    config.key = Secret::new("sk");
    config.model = "gpt-transcribe".to_owned();
    config.language = Some("hi".to_owned());
    config.prompt = "Caly".to_owned();
    config.word_times = true;
    let request = http(Whisper(config).request(AudioFormat::PCM_8K, &[0, 0]));
    assert_eq!(request.endpoint.url.as_str(), "http://127.0.0.1:8080/inference");
    assert_eq!(request.endpoint.headers[1], ("authorization", Secret::new("Bearer sk")));
    let body = String::from_utf8_lossy(&request.body).into_owned();
    for (name, value) in [
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
        ("model", "gpt-transcribe"),
        ("language", "hi"),
        ("prompt", "Caly"),
    ] {
        assert!(body.contains(&format!("name=\"{name}\"\r\n\r\n{value}\r\n--")), "{name}");
    }
}

#[test]
fn a_caller_cannot_end_the_form_with_his_voice() {
    let pcm = b"..--caly-7f1d0b9e52c84a36--\r\n";
    let request = http(Whisper(WhisperConfig::new("http://host")).request(AudioFormat::PCM_8K, pcm));
    assert!(request.body.ends_with(b"\r\n--caly-7f1d0b9e52c84a36x--\r\n"));
}

#[test]
fn words_come_from_the_text_or_one_by_one() {
    let server = Whisper(WhisperConfig::new("http://host"));
    let read = |body: &str| server.read(body.as_bytes()).unwrap();
    let plain = read(r#"{"text":" Mera order. ","usage":{"type":"duration","seconds":2}}"#);
    assert_eq!(plain.words, [token("Mera", None), token("order.", None)]);
    let timed = read(
        r#"{"task":"transcribe","text":"Mera order.","language":"hindi","duration":1.0,"segments":[],
            "words":[{"word":"mera","start":0.1,"end":0.3},{"word":"order","start":0.4,"end":0.8}]}"#,
    );
    assert_eq!(timed.language.as_deref(), Some("hindi"));
    assert_eq!(timed.words, [token("Mera", Some((100, 300))), token("order.", Some((400, 800)))]);
    let nested = read(
        r#"{"text":"x","segments":[{"id":0,"words":[{"word":" haan","start":0.1,"end":0.3,"probability":0.5}]},
            {"words":[{"word":"ji","start":0.9,"end":0.3},{"word":""}]},{}]}"#,
    );
    let haan = Token { confidence: Some(0.5), ..token("haan", Some((100, 300))) };
    assert_eq!(nested.words, [haan, token("ji", None)], "a word that ends before it begins has no time");
    assert_eq!(read(r#"{"text":""}"#), Transcription::default());
}

#[test]
fn complaints_and_nonsense_are_faults() {
    let server = Whisper(WhisperConfig::new("http://host"));
    let fault = |body: &str| server.read(body.as_bytes()).unwrap_err();
    assert_eq!(fault(r#"{"error":"failed to read"}"#).to_string(), "unavailable: failed to read");
    assert_eq!(fault(r#"{"error":{"message":"m","code":null}}"#).to_string(), "unavailable: m");
    for nonsense in ["", "<html>", "[]", "{}", r#"{"text":7}"#] {
        assert_eq!(fault(nonsense).kind, FaultKind::Malformed, "{nonsense}");
    }
}
