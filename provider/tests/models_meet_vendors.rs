//! What language models are asked is taken by strict simulations of their vendors, with tools and their results; the answers are read.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, LinkOrder, Message, Request};
use caly_provider::llm::{
    Anthropic, AnthropicConfig, Client, ClientConfig, Finish, OpenAi, OpenAiConfig, Output, Piece, Prompt,
    SystemPart, TokenLimit, ToolChoice, ToolResult, ToolSpec, Turn, Vendor,
};
use caly_provider::policy::Health;
use caly_provider::policy::chain::{Chain, Member};
use caly_provider::policy::connection::LinkIds;
use caly_provider::secret::Secret;
use caly_vendors::in_process::{Distance, InProcess};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::seen::Seen;
use caly_vendors::stage::Stage;
use caly_vendors::strict::KEY;
use caly_vendors::vendor::Vendor as Simulated;
use serde_json::json;

fn model() -> Model {
    let rules = [
        Rule::tool("shipped").say("It is on its way."),
        Rule::user("order").offered("track").say("Let me see. ").call("track", r#"{"order":"12"}"#),
        Rule::user("thanks").say("Goodbye."),
    ];
    Model::new(rules, TokenPace::default()).caching_from(1)
}

fn ask(world: &mut InProcess, number: u64, vendor: &dyn Vendor, prompt: &Prompt) -> Vec<Piece> {
    let link = LinkId(number);
    let deed = LinkDeed::Open(Request::Http(vendor.request(prompt)));
    let at = Duration::from_secs(60 * number);
    world.order(at, LinkOrder { link, deed });
    let mut decoder = vendor.decoder();
    let mut pieces = Vec::new();
    while let Some((_, event)) = world.poll(at + Duration::from_secs(30)) {
        match event {
            LinkEvent::Opened(_) => {}
            LinkEvent::Received(Message::Binary(part)) => decoder.receive(&part, &mut pieces).unwrap(),
            LinkEvent::Received(Message::Text(_)) => panic!("text in a body"),
            LinkEvent::Ended(LinkEnd::Complete) => decoder.end(&mut pieces).unwrap(),
            LinkEvent::Ended(end) => panic!("{end:?}"),
        }
    }
    pieces
}

fn text(pieces: &[Piece]) -> String {
    let words = pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.as_str()),
        Piece::ToolBegun { .. } | Piece::Tool(_) | Piece::Usage(_) | Piece::Finished(_) => None,
    });
    words.collect()
}

fn converse(vendor: &dyn Vendor, host: &str, simulated: impl Simulated + 'static) {
    let seen = Seen::default();
    let mut world = InProcess::default().with(host, Stage::new(simulated, &seen), Distance::default());
    let tool = ToolSpec {
        name: "track".to_owned(),
        description: "Finds an order".to_owned(),
        parameters: json!({"type": "object", "properties": {"order": {"type": "string"}}}),
    };
    let mut prompt = Prompt {
        system: vec![SystemPart { text: Arc::from("Be brief."), is_stable: true }],
        turns: vec![Turn::User("Where is my order?".to_owned())],
        tools: Arc::from([tool]),
        tool_choice: ToolChoice::Auto,
        max_tokens: 300,
    };
    let pieces = ask(&mut world, 1, vendor, &prompt);
    let calls: Vec<_> = pieces
        .iter()
        .filter_map(|piece| if let Piece::Tool(call) = piece { Some(call.clone()) } else { None })
        .collect();
    assert_eq!(
        (text(&pieces).as_str(), pieces.contains(&Piece::Finished(Finish::Tools))),
        ("Let me see. ", true)
    );
    assert_eq!(
        (calls.len(), calls[0].name.as_str(), calls[0].arguments.as_str()),
        (1, "track", r#"{"order":"12"}"#)
    );

    let result = ToolResult { id: calls[0].id.clone(), content: "shipped".to_owned(), is_error: false };
    prompt.turns.extend([Turn::Assistant { text: text(&pieces), calls }, Turn::Results(vec![result])]);
    let pieces = ask(&mut world, 2, vendor, &prompt);
    assert_eq!(text(&pieces), "It is on its way.");
    assert!(pieces.contains(&Piece::Finished(Finish::Stop)));

    let answer = Turn::Assistant { text: text(&pieces), calls: Vec::new() };
    prompt.turns.extend([answer, Turn::User("thanks".to_owned())]);
    prompt.tool_choice = ToolChoice::None;
    let pieces = ask(&mut world, 3, vendor, &prompt);
    assert_eq!(text(&pieces), "Goodbye.");
    let cached = pieces
        .iter()
        .filter_map(|piece| if let Piece::Usage(usage) = piece { Some(usage.cached_tokens) } else { None });
    assert!(cached.max().unwrap() > 20);
    assert_eq!(seen.complaints(), Vec::<String>::new());
}

/// What a client hears of a tool whose arguments are written at one part a second.
fn slow_tool(vendor: impl Vendor + 'static, host: &str, simulated: impl Fn(Model) -> Stage) {
    let arguments =
        json!({ "message": "Please ring me back on Monday after six, at my office." }).to_string();
    let rule = Rule::user("note").offered("take_note").call("take_note", &arguments);
    let pace = TokenPace { first: Duration::from_millis(500), each: Duration::from_secs(1) };
    let mut world = InProcess::default().with(host, simulated(Model::new([rule], pace)), Distance::default());
    let epoch = Instant::now();
    let member = Member { name: "slow".into(), health: Arc::new(Health::new(epoch)) };
    let chain = Chain::new(vec![member]);
    let config = ClientConfig { vendors: vec![Arc::new(vendor)], chain, hedge_after: None };
    let mut client = Client::new(config, LinkIds::of_client(0));
    let tool = ToolSpec {
        name: "take_note".to_owned(),
        description: "Takes a note".to_owned(),
        parameters: json!({"type": "object", "properties": {"message": {"type": "string"}}}),
    };
    let (turns, tools) = (vec![Turn::User("Take a note.".to_owned())], Arc::from([tool]));
    client.ask(epoch, Arc::new(Prompt { turns, tools, max_tokens: 300, ..Prompt::default() }));
    let mut calls = Vec::new();
    for step in 0..600_u64 {
        let at = Duration::from_millis(step * 50);
        while let Some((link, event)) = world.poll(at) {
            client.handle_link(epoch + at, link, event);
        }
        client.handle_timeout(epoch + at);
        while let Some(output) = client.poll() {
            match output {
                Output::Link(order) => world.order(at, order),
                Output::Piece { piece: Piece::Tool(call), .. } => calls.push((step, call.arguments)),
                Output::Asked { .. } | Output::Accepted { .. } | Output::Piece { .. } => {}
                Output::Fault { .. } | Output::Failed { .. } => panic!("{output:?} after {at:?}"),
            }
        }
    }
    assert_eq!(calls.len(), 1);
    assert!(calls[0].0 > 6 * 20, "it was to take longer than an answer may stand still");
    assert_eq!(calls[0].1, arguments);
}

#[test]
fn a_tool_is_used_whose_arguments_take_long_to_write() {
    let (anthropic, openai) = (Seen::default(), Seen::default());
    let vendor = Anthropic(AnthropicConfig::new(Secret::new(KEY), "claude-haiku-4-5"));
    slow_tool(vendor, "api.anthropic.com", |model| {
        Stage::new(caly_vendors::anthropic::Anthropic::new(model), &anthropic)
    });
    let vendor =
        OpenAi(OpenAiConfig::new("https://api.openai.com/v1", Some(Secret::new(KEY)), "gpt-4.1-mini"));
    slow_tool(vendor, "api.openai.com", |model| Stage::new(OpenAiChat::new(model, Dialect::OpenAi), &openai));
    assert_eq!((anthropic.complaints(), openai.complaints()), (Vec::new(), Vec::new()));
}

#[test]
fn anthropic_is_asked_as_it_wants() {
    let vendor = Anthropic(AnthropicConfig::new(Secret::new(KEY), "claude-haiku-4-5"));
    converse(&vendor, "api.anthropic.com", caly_vendors::anthropic::Anthropic::new(model()));
}

#[test]
fn openai_is_asked_as_it_wants() {
    let vendor =
        OpenAi(OpenAiConfig::new("https://api.openai.com/v1", Some(Secret::new(KEY)), "gpt-4.1-mini"));
    converse(&vendor, "api.openai.com", OpenAiChat::new(model(), Dialect::OpenAi));
}

#[test]
fn servers_of_ones_own_are_asked_as_they_want() {
    let config = OpenAiConfig {
        token_limit: TokenLimit::MaxTokens,
        ..OpenAiConfig::new("http://llm:8080/v1", None, "m")
    };
    converse(&OpenAi(config), "llm:8080", OpenAiChat::new(model(), Dialect::SelfHosted));
}
