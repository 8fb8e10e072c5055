//! A catalogue's file: lines of JSON, plain or packed with zstd. The head comes first, then each
//! provider and after it its models, one a line: a fault has a place, and reading takes little memory.

use super::draft::{HeadDraft, ModelDraft, ProviderDraft};
use super::facts::Source;
use super::table::{Builder, Table};
use super::{Catalog, Day};
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

/// A file larger than this, unpacked, is no catalogue.
const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A longer line is no row.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// The form of the file that is understood.
const FORMAT: u32 = 1;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Why bytes are no catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    #[error("cannot be unpacked: {0}")]
    Packing(String),
    #[error("longer than {BYTES_MAX} bytes")]
    TooLong,
    #[error("line {line}: {message}")]
    Syntax { line: usize, message: String },
    #[error("format {0} is not understood: this binary knows {FORMAT}")]
    Format(u32),
    #[error("line {line}: {place}: {fault}")]
    Fault { line: usize, place: String, fault: String },
    #[error("two rows are called {0}")]
    Twice(String),
    #[error("cut: the head promises {0} providers and {1} models")]
    Cut(usize, usize),
    #[error("no model in it")]
    Empty,
}

impl Catalog {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn load(bytes: &[u8]) -> Result<Self, CatalogError> {
        if !bytes.starts_with(&ZSTD) {
            return parse(bytes);
        }
        let packing = |error: std::io::Error| CatalogError::Packing(error.to_string());
        let unpacked = zstd::stream::read::Decoder::with_buffer(bytes).map_err(packing)?;
        parse(BufReader::new(unpacked))
    }
}

fn parse(reader: impl BufRead) -> Result<Catalog, CatalogError> {
    let mut lines = Lines { reader: reader.take(BYTES_MAX + 1), text: Vec::new(), line: 0 };
    lines.next()?;
    let head: HeadDraft = lines.read()?;
    if head.format != FORMAT {
        return Err(CatalogError::Format(head.format));
    }
    let mut builder = Builder::with_room(head.models);
    let mut provider = String::new();
    while lines.next()? {
        let added = if lines.is_provider() {
            let draft: ProviderDraft = lines.read()?;
            provider.clone_from(&draft.id);
            draft.provider().and_then(|provider| builder.provider(provider)).map_err(|fault| (None, fault))
        } else {
            let draft: ModelDraft = lines.read()?;
            let id = draft.id.clone();
            draft.facts().and_then(|facts| builder.model(&facts)).map_err(|fault| (Some(id), fault))
        };
        added.map_err(|(model, fault)| {
            let provider = provider.escape_default();
            let place = model
                .map_or_else(|| provider.to_string(), |id| format!("{provider}/{}", id.escape_default()));
            CatalogError::Fault { line: lines.line, place, fault }
        })?;
    }
    if (builder.providers(), builder.rows()) != (head.providers, head.models) {
        return Err(CatalogError::Cut(head.providers, head.models));
    }
    if builder.rows() == 0 {
        return Err(CatalogError::Empty);
    }
    finished(head, builder)
}

fn finished(head: HeadDraft, builder: Builder) -> Result<Catalog, CatalogError> {
    let day = |text: &str| {
        let fault = || format!("unknown day `{}`", text.escape_default());
        Day::parse(text).ok_or_else(|| CatalogError::Fault {
            line: 1,
            place: "head".to_owned(),
            fault: fault(),
        })
    };
    let sources = head.sources.into_iter().map(|source| {
        let as_of = day(&source.as_of)?;
        Ok(Source {
            id: source.id.into(),
            version: source.version.into(),
            licence: source.licence.into(),
            as_of,
        })
    });
    Ok(Catalog {
        made: Some(day(&head.made)?),
        sources: sources.collect::<Result<Vec<_>, CatalogError>>()?.into(),
        base: Arc::new(builder.finish(false).map_err(CatalogError::Twice)?),
        own: Arc::new(Table::empty(true)),
    })
}

/// One line at a time, in one buffer.
struct Lines<R> {
    reader: std::io::Take<R>,
    text: Vec<u8>,
    line: usize,
}

impl<R: BufRead> Lines<R> {
    /// Goes to the next line that is not empty; false at the end.
    fn next(&mut self) -> Result<bool, CatalogError> {
        loop {
            self.text.clear();
            let mut bounded = (&mut self.reader).take(LINE_BYTES_MAX + 1);
            let read = bounded.read_until(b'\n', &mut self.text);
            let length = read.map_err(|error| CatalogError::Packing(error.to_string()))?;
            self.line += 1;
            if self.reader.limit() == 0 {
                return Err(CatalogError::TooLong);
            }
            if length as u64 > LINE_BYTES_MAX {
                return Err(self.fault(format!("longer than {LINE_BYTES_MAX} bytes")));
            }
            if length == 0 || !self.text.trim_ascii().is_empty() {
                return Ok(length != 0);
            }
        }
    }

    fn is_provider(&self) -> bool {
        let inside = self.text.trim_ascii_start().strip_prefix(b"{");
        inside.is_some_and(|inside| inside.trim_ascii_start().starts_with(b"\"provider\""))
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, CatalogError> {
        serde_json::from_slice(&self.text).map_err(|error| {
            let text = error.to_string();
            // Its own line is always the first: ours is the place.
            let (message, column) = text.rsplit_once(" at line 1 column ").unwrap_or((&text, "1"));
            self.fault(format!("column {column}: {message}"))
        })
    }

    fn fault(&self, message: String) -> CatalogError {
        CatalogError::Syntax { line: self.line, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(models: &str) -> String {
        let count = models.lines().count();
        format!(
            "{{\"format\":1,\"made\":\"2026-11-21\",\"sources\":[],\"providers\":1,\"models\":{count}}}\n\
             {{\"provider\":\"lab\",\"protocols\":[\"chat\"],\"auth\":\"none\",\"source\":\"x\"}}\n{models}\n"
        )
    }

    fn fault(models: &str) -> String {
        Catalog::load(file(models).as_bytes()).unwrap_err().to_string()
    }

    const GOOD: &str = r#"{"id":"a","source":"x","prices":[{"input":"1","output":"2"}]}"#;

    #[test]
    fn a_file_is_read_plain_and_packed() {
        let text = file(GOOD);
        let packed = zstd::bulk::compress(text.as_bytes(), 3).unwrap();
        for bytes in [text.as_bytes(), &packed] {
            let catalog = Catalog::load(bytes).unwrap();
            assert_eq!(catalog.find("lab", "A").unwrap().model.id(), "a");
            assert_eq!(catalog.made().unwrap().to_string(), "2026-11-21");
        }
    }

    #[test]
    fn every_fault_says_where_it_is() {
        for (models, told) in [
            ("{\"id\":\"a\",\"source\":\"x\",\"colour\":1}", "line 3: column 31: unknown field `colour`"),
            ("{\"id\":\"a\",\"source\":\"x\",\"tokenizer\":\"o9\"}", "line 3: lab/a: unknown tokenizer `o9`"),
            ("{\"id\":\"a b\",\"source\":\"x\"}", "line 3: lab/a b: `a b` cannot be a name"),
            (
                "{\"id\":\"a\",\"source\":\"x\",\"released\":\"2026-02-30\"}",
                "line 3: lab/a: unknown day `2026-02-30`",
            ),
            (
                "{\"id\":\"a\",\"source\":\"x\",\"prices\":[{\"output\":\"1\"}]}",
                "line 3: lab/a: no price of input",
            ),
            (
                "{\"id\":\"a\",\"source\":\"x\",\"prices\":[{\"input\":\"0\"}]}",
                "line 3: lab/a: the price of input is zero",
            ),
            (
                "{\"id\":\"a\",\"source\":\"x\",\"prices\":[{\"input\":\"-1\"}]}",
                "line 3: lab/a: the price of input must not be negative",
            ),
            (
                "{\"id\":\"a\",\"source\":\"x\",\"prices\":[{\"input\":1}]}",
                "line 3: lab/a: the price of `input` must be text",
            ),
            (
                "{\"id\":\"a\",\"source\":\"x\",\"prices\":[{\"inptu\":\"1\"}]}",
                "line 3: lab/a: unknown class `inptu`",
            ),
            (
                "{\"id\":\"a\",\"source\":\"x\",\"base_url\":\"ftp://x\"}",
                "line 3: lab/a: `ftp://x` cannot be a base URL",
            ),
            ("", "no model in it"),
        ] {
            assert!(fault(models).contains(told), "{models}: {}", fault(models));
        }
        assert!(fault(&format!("{GOOD}\n{{\"id\":1}}")).starts_with("line 4: "));
        assert_eq!(
            fault(&format!("{GOOD}\n{}", GOOD.replace("\"a\"", "\"A\""))),
            "two rows are called lab/a"
        );
        let alias = GOOD.replace("\"a\"", "\"b\",\"aliases\":[\"A\"]");
        assert_eq!(fault(&format!("{GOOD}\n{alias}")), "two rows are called lab/b");
    }

    #[test]
    fn what_is_no_catalogue_is_refused() {
        let broken = |bytes: &[u8]| Catalog::load(bytes).unwrap_err();
        assert!(matches!(broken(b"\xff"), CatalogError::Syntax { line: 1, .. }));
        assert!(matches!(broken(b"\n{\"format\":1,"), CatalogError::Syntax { line: 2, .. }));
        assert!(matches!(broken(&[0x28, 0xb5, 0x2f, 0xfd, 0]), CatalogError::Packing(_)));
        assert_eq!(
            broken(file(GOOD).replace("\"format\":1", "\"format\":2").as_bytes()),
            CatalogError::Format(2)
        );
        let long = zstd::bulk::compress(&vec![b' '; 2 * LINE_BYTES_MAX as usize], 1).unwrap();
        assert!(matches!(broken(&long), CatalogError::Syntax { line: 1, .. }));
        let bomb = [file(GOOD).as_bytes(), &vec![b'\n'; BYTES_MAX as usize]].concat();
        assert_eq!(broken(&zstd::bulk::compress(&bomb, 1).unwrap()), CatalogError::TooLong);
    }

    #[test]
    fn a_cut_file_is_never_half_a_catalogue() {
        let text = file(GOOD);
        // All but the last byte, which is the end of its line.
        for length in 0..text.len() - 1 {
            assert!(Catalog::load(&text.as_bytes()[..length]).is_err(), "{length}");
        }
    }
}
