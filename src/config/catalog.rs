//! `[catalog]`: a newer file of facts, and rows the user writes over it.

use super::catalog_row::model_override;
use super::collector::Collector;
use super::file::{SecretPolicy, text_of};
use super::listener::file;
use super::near::quoted;
use super::reader::Reader;
use super::report::Report;
use super::syntax;
use super::value::Value;
use crate::catalog::{Catalog, CatalogError, ModelOverride};
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// A file longer than this is no catalogue, packed or not.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What the gateway knows of providers and models.
#[derive(Clone, Debug)]
pub struct CatalogSettings {
    /// Read in place of the catalogue in the binary.
    pub file: Option<PathBuf>,
    pub models: Vec<ModelOverride>,
    /// The whole: the file's facts or the binary's, with `models` over them. The binary's alone where
    /// nothing outside the configuration is looked at.
    pub facts: Catalog,
}

/// Equal when the same was written: what a file of facts holds is not compared.
impl PartialEq for CatalogSettings {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.models == other.models
    }
}

impl Default for CatalogSettings {
    fn default() -> Self {
        Self { file: None, models: Vec::new(), facts: Catalog::builtin() }
    }
}

impl CatalogSettings {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let path = reader.value("file");
        let file = path.as_ref().and_then(|value| file(value, reader.collector));
        let models = reader.or("models", Vec::new(), |value, collector| {
            let entries = Reader::open(value, collector)?.entries();
            let row = |(key, value)| Some((model_override(key, &value, collector)?, value));
            Some(entries.into_iter().filter_map(row).collect())
        });
        reader.done();
        let facts = match (&path, &file) {
            (None, _) => Some(Catalog::builtin()),
            (Some(value), Some(path)) if collector.looks_outside() => loaded(path, value, collector),
            // Rows may lean on rows that only the file has.
            _ => None,
        };
        let (models, places): (Vec<ModelOverride>, Vec<Value<'_>>) = models.into_iter().unzip();
        let facts = match facts.map(|facts| facts.with_overrides(&models)) {
            Some(Ok(facts)) => facts,
            Some(Err((at, error))) => {
                places.get(at)?.fail_head(collector, error.to_string(), None);
                return None;
            }
            None => Catalog::builtin(),
        };
        Some(Self { file, models, facts })
    }
}

impl CatalogSettings {
    /// Reads only `[catalog]` of the configuration at `path`, and the file of facts it names. Secrets
    /// and everything else of the file are not looked at.
    ///
    /// # Errors
    /// The report of every problem of that section, or of the file's syntax.
    pub fn of_file(path: &Path) -> Result<Self, Report> {
        let name = path.display().to_string();
        let text = text_of(path, &name)?;
        let (document, errors) = DeTable::parse_recoverable(&text);
        let mut collector = Collector::new(SecretPolicy::Resolve, &|_| None);
        if !errors.is_empty() {
            return Err(syntax::report(&name, &text, &errors, collector));
        }
        let mut root = Reader::root(document.get_ref(), &mut collector);
        let settings = root.or("catalog", Self::default(), Self::read);
        collector.finish(&name, &text, settings)
    }
}

/// The file at `path`, whole and valid, or a problem that says where in it.
fn loaded(path: &Path, value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Catalog> {
    let bytes = match bytes_of(path) {
        Ok(bytes) => bytes,
        // A missing file was told already, when its path was read.
        Err(_) if !path.is_file() => return None,
        Err(error) => {
            value.fail(collector, format!("cannot be read: {error}"));
            return None;
        }
    };
    match Catalog::load(&bytes) {
        Ok(catalog) => Some(catalog),
        Err(error) => {
            let help = match error {
                CatalogError::Format(_) => "take a file made for this release",
                _ => "nothing of the file is used until it is right",
            };
            value.fail_help(collector, quoted(&format!("is no catalogue: {error}")), help);
            None
        }
    }
}

fn bytes_of(path: &Path) -> std::io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a FIFO would wait for its writer.
    if !path.metadata()?.is_file() {
        return Err(std::io::Error::other("this is no file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Class, Service};

    fn read(text: &str) -> Result<CatalogSettings, Vec<String>> {
        let table = DeTable::parse(text).unwrap();
        let mut collector = Collector::new(SecretPolicy::Resolve, &|_| None);
        let mut root = Reader::root(table.get_ref(), &mut collector);
        let settings = root.take("catalog", CatalogSettings::read);
        let told = |report: Report| report.problems.into_iter().map(|problem| problem.message).collect();
        collector.finish("f", text, settings).map(Option::unwrap).map_err(told)
    }

    fn input(settings: &CatalogSettings, provider: &str, name: &str) -> Option<String> {
        let model = settings.facts.find(provider, name)?.model;
        Some(model.rates(Service::Standard, 1)?.per_million(Class::Input)?.to_string())
    }

    #[test]
    fn rows_are_laid_over_the_facts_of_the_binary() {
        let settings = read(
            "[catalog.models.\"openai/gpt-5\"]\nprices = { input = 0.1, output = \"0.4\" }\n\
             [catalog.models.\"lab/qwen\"]\nprices = [{ input = 1 }, { above = 200_000, input = 2 }, { service = \"batch\", input = \"0.5\" }]\n",
        )
        .unwrap();
        assert_eq!(input(&settings, "openai", "gpt-5").as_deref(), Some("0.1"));
        assert_eq!(input(&settings, "lab", "qwen").as_deref(), Some("1"));
        assert_eq!(settings.facts.find("lab", "qwen").unwrap().model.prices().len(), 3);
    }

    #[test]
    fn wrong_rows_are_told_where_they_are() {
        for (text, told) in [
            ("[catalog.models.gpt-5]\n", "`gpt-5` is no \"PROVIDER/MODEL\""),
            (
                "[catalog.models.\"a/b\"]\nprices = { input = -1 }\n",
                "the price of input must not be negative",
            ),
            (
                "[catalog.models.\"a/b\"]\nprices = { input = 0 }\n",
                "the price of input is zero: leave it out, or say `free = true`",
            ),
            ("[catalog.models.\"a/b\"]\nprices = { output = 1 }\n", "no price of input"),
            (
                "[catalog.models.\"a/b\"]\nprices = { inptu = 1 }\n",
                "unknown field `inptu`, did you mean `input`?",
            ),
            ("[catalog.models.\"a/b\"]\nfree = true\nprices = { input = 1 }\n", "free, and priced"),
            ("[catalog.models.\"a/b\"]\nlike = \"openai/gpt-99\"\n", "the catalogue has no `openai/gpt-99`"),
            (
                "[catalog.models.\"a/b\"]\ntokenizer = \"o300k\"\n",
                "unknown value `o300k`, did you mean `o200k`?",
            ),
        ] {
            let problems = read(text).unwrap_err();
            assert!(problems.iter().any(|problem| problem == told), "{text}: {problems:?}");
        }
    }

    #[test]
    fn a_file_of_facts_is_read_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("tidegate-catalog-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("catalog.json");
        let text = format!("[catalog]\nfile = {:?}\n", path.to_str().unwrap());
        let good = "{\"format\":1,\"made\":\"2026-11-22\",\"sources\":[],\"providers\":1,\"models\":1}\n\
            {\"provider\":\"openai\",\"protocols\":[\"chat\"],\"auth\":\"bearer\",\"source\":\"x\"}\n\
            {\"id\":\"gpt-9\",\"source\":\"x\",\"prices\":[{\"input\":\"7\"}]}\n";
        std::fs::write(&path, good).unwrap();
        let settings = read(&text).unwrap();
        assert_eq!(input(&settings, "openai", "gpt-9").as_deref(), Some("7"));
        assert_eq!(input(&settings, "openai", "gpt-5"), None);
        std::fs::write(&path, good.replace("\"7\"", "\"seven\"")).unwrap();
        let problems = read(&text).unwrap_err();
        assert!(
            problems.iter().any(|told| told.contains("line 3: openai/gpt-9: the price of input")),
            "{problems:?}"
        );
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read(&text).unwrap_err().len(), 1);
    }
}
