//! Random conversations for the codecs' properties. Tests only.
//!
//! What is made is valid: calls have answers, answers have calls, ids are used once, streams keep
//! the order [`Event`] promises. Texts are nasty: quotes, backslashes, controls, several scripts.

use super::*;
use crate::types::{Protocol, Usage};
use proptest::collection::vec;
use proptest::prelude::*;

/// Any text, also empty.
pub fn text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "\"quoted\"",
        "back\\slash",
        "line\nbreak",
        "tab\t",
        "é",
        "世界",
        "😀",
        "\u{1}",
        "</script>",
        "{\"a\":1}",
        "  ",
        "\u{2028}",
    ]);
    vec(prop_oneof![nasty.prop_map(str::to_owned), "[a-zA-Z ,.]{1,12}"], 0..6)
        .prop_map(|parts| parts.concat())
}

/// Text that is more than white space, with none at its ends: vendors trim.
pub fn words() -> impl Strategy<Value = String> {
    (text(), "[a-z]{1,4}", "[a-z]{1,4}").prop_map(|(middle, from, to)| format!("{from}{middle}{to}"))
}

/// A JSON object as text, numbers of odd forms in it.
pub fn object() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("1.0".to_owned()),
        Just("-0.5e3".to_owned()),
        Just("9007199254740993".to_owned()),
        Just("[true,null,{}]".to_owned()),
        text().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    vec(value, 0..4).prop_map(|values| {
        let members: Vec<String> =
            values.iter().enumerate().map(|(at, value)| format!("\"k{at}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,14}"
}

fn text_block() -> impl Strategy<Value = Block<'static>> {
    words().prop_map(Block::text)
}

fn image() -> impl Strategy<Value = Block<'static>> {
    Just(Block::new(BlockKind::Image(Media {
        source: Source::Base64("iVBORw0KGgo=".into()),
        mime: Some("image/png".into()),
        name: None,
        detail: None,
    })))
}

/// Thinking as `vendor` gives it back on the next turn.
fn thinking(vendor: Vendor) -> impl Strategy<Value = Block<'static>> {
    (words(), "[A-Za-z0-9+/]{8,24}").prop_map(move |(text, proof)| {
        Block::new(BlockKind::Thinking(Thinking {
            text: text.into(),
            signature: (vendor != Vendor::Unsigned).then(|| Signature::new(vendor, proof)),
            is_summary: false,
            item_id: None,
        }))
    })
}

/// One exchange: the user speaks, the model answers, perhaps by calls that the user then answers.
#[derive(Clone, Debug)]
struct Round {
    user: Vec<Block<'static>>,
    thinking: Option<Block<'static>>,
    answer: Option<String>,
    calls: Vec<(String, String, String)>,
}

fn round(vendor: Vendor) -> impl Strategy<Value = Round> {
    (
        vec(prop_oneof![4 => text_block().boxed(), 1 => image().boxed()], 1..3),
        prop::option::of(thinking(vendor)),
        prop::option::of(words()),
        vec((name(), object(), words()), 0..4),
    )
        .prop_map(|(user, thinking, answer, calls)| Round { user, thinking, answer, calls })
}

fn turns_of(rounds: Vec<Round>) -> Vec<Turn<'static>> {
    let mut turns: Vec<Turn<'static>> = Vec::new();
    for (number, round) in rounds.into_iter().enumerate() {
        // Results and the next words of the user share one turn, as every protocol can say it.
        match turns.last_mut() {
            Some(last) if last.role == Role::User => last.blocks.extend(round.user),
            _ => turns.push(Turn::new(Role::User, round.user)),
        }
        let mut said: Vec<Block<'static>> = round.thinking.into_iter().collect();
        said.extend(round.answer.map(Block::text));
        let mut results = Vec::new();
        for (at, (name, arguments, result)) in round.calls.into_iter().enumerate() {
            let id = format!("call_{number}_{at}");
            said.push(Block::new(BlockKind::ToolUse(ToolUse {
                id: id.clone().into(),
                name: name.clone().into(),
                arguments: arguments.into(),
                is_custom: false,
                signature: None,
            })));
            results.push(Block::new(BlockKind::ToolResult(ToolResult {
                id: id.into(),
                name: Some(name.into()),
                content: vec![Block::text(result)],
                is_error: false,
                is_custom: false,
            })));
        }
        if said.is_empty() || matches!(said.as_slice(), [Block { kind: BlockKind::Thinking(_), .. }]) {
            said.push(Block::text("done"));
        }
        turns.push(Turn::new(Role::Assistant, said));
        if !results.is_empty() {
            turns.push(Turn::new(Role::User, results));
        }
    }
    if turns.last().is_none_or(|turn| turn.role == Role::Assistant) {
        turns.push(Turn::new(Role::User, vec![Block::text("go on")]));
    }
    turns
}

fn tools(turns: &[Turn<'static>], schema: &str) -> Vec<Tool<'static>> {
    let mut names: Vec<String> = Vec::new();
    for block in turns.iter().flat_map(|turn| &turn.blocks) {
        if let BlockKind::ToolUse(call) = &block.kind
            && !names.iter().any(|known| *known == call.name)
        {
            names.push(call.name.to_string());
        }
    }
    let tool = |name: String| {
        Tool::new(ToolKind::Function {
            description: Some(format!("does {name}").into()),
            name: name.into(),
            schema: Some(Raw(schema.to_owned().into())),
            strict: None,
        })
    };
    names.into_iter().map(tool).collect()
}

/// A valid request as a decoder of `from` would make it, of what every protocol can say. Earlier
/// thinking is signed by `vendor`.
pub fn request(from: Protocol, vendor: Vendor) -> impl Strategy<Value = Request<'static>> {
    const SCHEMA: &str = r#"{"type":"object","properties":{"k0":{"type":"number"}},"required":[]}"#;
    (
        prop::option::of(words()),
        vec(round(vendor), 1..4),
        prop::option::of(prop::sample::select(vec!["0.5", "1", "0.25"])),
        prop::option::of(1u64..4096),
        vec("[a-z]{1,8}", 0..3),
        any::<bool>(),
    )
        .prop_map(move |(system, rounds, temperature, max_output, stop, is_stream)| {
            let mut request = Request::new(from, "some-model");
            request.system = system.map(Block::text).into_iter().collect();
            request.turns = turns_of(rounds);
            request.tools = tools(&request.turns, SCHEMA);
            request.settings = temperature
                .map(|value| Setting {
                    feature: Feature::Temperature,
                    at: At::NOWHERE,
                    value: Raw(value.into()),
                })
                .into_iter()
                .collect();
            request.max_output = max_output;
            request.stop = stop.into_iter().map(Text::from).collect();
            request.is_stream = is_stream;
            request
        })
}

fn usage() -> impl Strategy<Value = Usage> {
    (1u64..100_000, 0u64..500, 1u64..50_000, 0u64..100).prop_map(|(input, cache_read, output, reasoning)| {
        Usage {
            input: input + cache_read,
            cache_read,
            output: output + reasoning,
            reasoning,
            ..Usage::default()
        }
    })
}

/// A whole answer of one choice, of what every protocol can say.
pub fn response(from: Protocol, vendor: Vendor) -> impl Strategy<Value = Response<'static>> {
    (round(vendor), usage()).prop_map(move |(round, usage)| {
        let mut turns = turns_of(vec![round]);
        let has_result = turns.len() > 2;
        let blocks = turns.swap_remove(1).blocks;
        let has_calls = blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_)));
        assert!(has_calls <= has_result);
        let reason = if has_calls { StopReason::ToolUse } else { StopReason::End };
        let mut response = Response::new(from);
        response.id = "answer-1".into();
        response.model = "some-model".into();
        response.created = Some(1_760_000_000);
        response.usage = Some(usage);
        response.choices =
            vec![Choice { index: 0, blocks, stop: Stop::new(reason), logprobs: None, extra: Extra::none() }];
        response
    })
}

/// Cuts a text into pieces at character boundaries.
fn pieces(text: &str, every: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(every.max(1)).map(|chunk| chunk.iter().collect()).collect()
}

/// The events of a whole answer, text cut into pieces of `every` characters; with `is_interleaved`,
/// deltas of several tool calls in turns.
pub fn events_of(response: &Response<'static>, every: usize, is_interleaved: bool) -> Vec<Event<'static>> {
    let mut events = vec![Event::Start {
        id: response.id.clone(),
        model: response.model.clone(),
        created: response.created,
    }];
    let Some(choice) = response.choices.first() else { return events };
    let mut calls: Vec<(u32, Vec<String>)> = Vec::new();
    for (number, block) in choice.blocks.iter().enumerate() {
        let number = number as u32;
        let delta = |delta| Event::Delta { choice: 0, block: number, delta };
        let start = |start| Event::BlockStart { choice: 0, block: number, start };
        let stop = Event::BlockStop { choice: 0, block: number };
        match &block.kind {
            BlockKind::Text { text, .. } => {
                events.push(start(BlockStart::Text));
                events.extend(pieces(text, every).into_iter().map(|p| delta(Delta::Text(p.into()))));
                events.push(stop);
            }
            BlockKind::Thinking(thinking) => {
                events.push(start(BlockStart::Thinking { is_summary: false, item_id: None }));
                let text = pieces(&thinking.text, every);
                events.extend(text.into_iter().map(|p| delta(Delta::Text(p.into()))));
                events.extend(thinking.signature.clone().map(|s| delta(Delta::Signature(s))));
                events.push(stop);
            }
            BlockKind::ToolUse(call) => {
                events.push(start(BlockStart::ToolUse {
                    id: call.id.clone(),
                    name: call.name.clone(),
                    is_custom: false,
                    signature: None,
                }));
                let parts = pieces(&call.arguments, every);
                if is_interleaved {
                    calls.push((number, parts));
                } else {
                    events.extend(parts.into_iter().map(|p| delta(Delta::Arguments(p.into()))));
                    events.push(stop);
                }
            }
            _ => {}
        }
    }
    let rounds = calls.iter().map(|(_, parts)| parts.len()).max().unwrap_or(0);
    for round in 0..rounds {
        for (block, parts) in &calls {
            if let Some(part) = parts.get(round) {
                let delta = Delta::Arguments(part.clone().into());
                events.push(Event::Delta { choice: 0, block: *block, delta });
            }
        }
    }
    events.extend(calls.iter().map(|(block, _)| Event::BlockStop { choice: 0, block: *block }));
    events.push(Event::Stop { choice: 0, stop: choice.stop.clone() });
    events.extend(response.usage.map(Event::Usage));
    events.push(Event::End);
    events
}

/// A stream and the whole answer it amounts to.
pub fn stream(
    from: Protocol,
    vendor: Vendor,
) -> impl Strategy<Value = (Response<'static>, Vec<Event<'static>>)> {
    (response(from, vendor), 1usize..9, any::<bool>()).prop_map(|(response, every, is_interleaved)| {
        let events = events_of(&response, every, is_interleaved);
        (response, events)
    })
}
