//! Speech and transcriptions: silence out, words out.

use serde_json::{Value, json};

use super::ask::Ask;
use super::job::Job;
use super::reply::Whole;
use super::text::Prose;

/// Samples of the WAV answers: a tenth of a second at 8 kHz.
const SAMPLES: u32 = 800;
/// One silent MPEG-1 layer III frame: 128 kbit/s, 44.1 kHz, 417 bytes.
const FRAME_HEAD: [u8; 4] = [0xff, 0xfb, 0x90, 0x64];
const FRAME_BYTES: usize = 417;
const FRAMES: usize = 8;

/// `/v1/audio/speech`: a moment of silence, as WAV where asked for, else MP3.
pub fn speech(ask: &Ask<'_>) -> Whole {
    let is_wav = ask.response_format.is_some_and(|format| format.get() == "\"wav\"");
    let (content_type, body) = if is_wav { ("audio/wav", wav()) } else { ("audio/mpeg", mp3()) };
    Whole { content_type, body, ..Whole::json(String::new()) }
}

fn mp3() -> Vec<u8> {
    let mut frame = FRAME_HEAD.to_vec();
    frame.resize(FRAME_BYTES, 0);
    frame.repeat(FRAMES)
}

fn wav() -> Vec<u8> {
    let mut out = b"RIFF".to_vec();
    out.extend_from_slice(&(36 + SAMPLES).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    out.extend_from_slice(&8000u32.to_le_bytes());
    out.extend_from_slice(&8000u32.to_le_bytes());
    out.extend_from_slice(b"\x01\0\x08\0data");
    out.extend_from_slice(&SAMPLES.to_le_bytes());
    out.resize(44 + SAMPLES as usize, 0x80);
    out
}

/// `/v1/audio/transcriptions` and `translations`: words by the job's seed.
pub fn transcription(job: &Job, body: &[u8]) -> Whole {
    let text = Prose::text(job.seed, job.words);
    match form_field(body, "response_format") {
        Some("text") => Whole {
            content_type: "text/plain; charset=utf-8",
            body: (text + "\n").into_bytes(),
            ..Whole::json(String::new())
        },
        Some("verbose_json") => Whole::json(
            json!({"task": "transcribe", "language": "english", "duration": 1.0, "text": text, "segments": []})
                .to_string(),
        ),
        _ => Whole::json(json!({"text": text, "usage": usage(job)}).to_string()),
    }
}

fn usage(job: &Job) -> Value {
    json!({"type": "tokens", "input_tokens": job.prompt_tokens,
           "input_token_details": {"text_tokens": 0, "audio_tokens": job.prompt_tokens},
           "output_tokens": job.output_tokens(), "total_tokens": job.total_tokens()})
}

/// The value of a plain field of a multipart form. Looks for the field's head alone: good enough
/// for forms that clients make.
pub fn form_field<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let label = format!("name=\"{name}\"\r\n");
    let after = body.get(memchr::memmem::find(body, label.as_bytes())? + label.len()..)?;
    let value = after.get(memchr::memmem::find(after.get(..after.len().min(200))?, b"\r\n")? + 2..)?;
    // Between the field's head and its value there may be a content type.
    let value = match after.get(..2) {
        Some(b"\r\n") => value,
        _ => value.get(2..)?,
    };
    let end = memchr::memmem::find(value, b"\r\n")?;
    std::str::from_utf8(value.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_field_is_found_with_and_without_a_content_type() {
        let form = b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\n\
            Content-Disposition: form-data; name=\"x\"\r\nContent-Type: text/plain\r\n\r\nyes\r\n--b--\r\n";
        assert_eq!(form_field(form, "model"), Some("whisper-1"));
        assert_eq!(form_field(form, "x"), Some("yes"));
        assert_eq!(form_field(form, "y"), None);
        assert_eq!(form_field(b"name=\"x\"\r\n", "x"), None);
    }

    #[test]
    fn the_wav_is_as_long_as_its_head_says() {
        let bytes = wav();
        assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize + 8, bytes.len());
    }
}
