//! `aws` of a provider: keys that sign its calls, and where they come from.

use super::base_url::{self, BaseUrl};
use super::collector::Collector;
use super::name;
use super::plain::{plain, token_endpoint};
use super::reader::Reader;
use super::secret;
use super::value::Value;
use crate::types::Secret;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsAccount {
    /// What signatures are made for, such as `eu-west-1`.
    pub region: String,
    pub source: AwsKeySource,
}

/// Where the keys come from: exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsKeySource {
    Static {
        access_key_id: Secret,
        secret_access_key: Secret,
        session_token: Option<Secret>,
    },
    /// The first of `files` that has the profile.
    Profile {
        name: String,
        files: Vec<PathBuf>,
    },
    Imds {
        endpoint: String,
    },
    WebIdentity {
        endpoint: String,
        role_arn: String,
        session_name: String,
        token_file: PathBuf,
    },
}

/// Groups of keys, each a source; and keys that only one of them has a use for.
const SOURCES: [(&str, &[&str]); 4] = [
    ("access_key_id", &["access_key_id", "secret_access_key", "session_token"]),
    ("profile", &["profile", "credentials_file"]),
    ("role_arn", &["role_arn", "token_file", "session_name"]),
    ("imds", &["imds"]),
];
const IMDS: &str = "http://169.254.169.254";
const HELP: &str = "`profile`; `access_key_id` with `secret_access_key`; `role_arn` with `token_file`; \
                    or imds = true";

impl AwsAccount {
    /// `region`: that of the provider, where it has one.
    pub(super) fn read(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        region: Option<&str>,
    ) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let region = reader.take("region", name::label).or_else(|| region.map(str::to_owned));
        if region.is_none() {
            reader.fail("`aws` needs a `region`", Some("such as region = \"eu-west-1\""));
        }
        let region = region.unwrap_or_default();
        let written: Vec<&str> = SOURCES
            .iter()
            .filter(|(_, keys)| keys.iter().any(|key| reader.has(key)))
            .map(|(source, _)| *source)
            .collect();
        let source = match *written.as_slice() {
            [only] => source(&mut reader, only, &region),
            [] => {
                reader.fail("`aws` names no source of keys", Some(HELP));
                None
            }
            _ => {
                reader.fail("`aws` names more than one source of keys", Some(HELP));
                None
            }
        };
        // Asked for in any case, so that none of them is called unknown.
        SOURCES.iter().flat_map(|(_, keys)| *keys).chain(&["endpoint"]).for_each(|key| {
            let _ = reader.value(key);
        });
        reader.done();
        Some(Self { region, source: source? })
    }
}

fn source(reader: &mut Reader<'_, '_, '_>, source: &str, region: &str) -> Option<AwsKeySource> {
    if matches!(source, "access_key_id" | "profile") && reader.has("endpoint") {
        reader.fail("`endpoint` is only for `role_arn` and `imds`", None);
    }
    match source {
        "access_key_id" => of_keys(reader),
        "profile" => of_profile(reader),
        "role_arn" => of_role(reader, region),
        _ => {
            let is_on = reader.take("imds", |value, collector| {
                let is_on = value.boolean(collector)?;
                if !is_on {
                    value.fail(collector, "leave `imds` out, or set it to true");
                }
                Some(is_on)
            });
            let endpoint = reader.take("endpoint", base_url::base_url);
            is_on.map(|_| AwsKeySource::Imds { endpoint: or_default(endpoint, || IMDS.to_owned()) })
        }
    }
}

fn or_default(endpoint: Option<BaseUrl>, default: impl FnOnce() -> String) -> String {
    endpoint.map_or_else(default, |url| url.as_str().to_owned())
}

fn of_keys(reader: &mut Reader<'_, '_, '_>) -> Option<AwsKeySource> {
    let help = "such as \"env:AWS_ACCESS_KEY_ID\" and \"env:AWS_SECRET_ACCESS_KEY\"";
    let id = reader.need("access_key_id", help, secret::secret);
    let key = reader.need("secret_access_key", help, secret::secret);
    let session_token = reader.take("session_token", secret::secret).map(|found| found.secret);
    Some(AwsKeySource::Static { access_key_id: id?.secret, secret_access_key: key?.secret, session_token })
}

fn of_profile(reader: &mut Reader<'_, '_, '_>) -> Option<AwsKeySource> {
    let name = reader.need("profile", "such as profile = \"default\"", plain);
    let file = reader.take("credentials_file", plain);
    let files = match file {
        Some(file) => vec![PathBuf::from(file)],
        None => usual_files(reader.collector),
    };
    if files.is_empty() && reader.collector.looks_outside() {
        let help = "or set AWS_SHARED_CREDENTIALS_FILE or HOME";
        reader.fail("`aws` needs a `credentials_file`: there is no home to look for one in", Some(help));
    }
    Some(AwsKeySource::Profile { name: name?, files })
}

/// Where the AWS command line has them.
fn usual_files(collector: &Collector<'_>) -> Vec<PathBuf> {
    let home = collector.env("HOME").filter(|home| !home.is_empty());
    let of_home = |name: &str| home.as_ref().map(|home| format!("{home}/.aws/{name}"));
    let of_env = |name: &str| collector.env(name).filter(|path| !path.is_empty());
    let credentials = of_env("AWS_SHARED_CREDENTIALS_FILE").or_else(|| of_home("credentials"));
    let config = of_env("AWS_CONFIG_FILE").or_else(|| of_home("config"));
    credentials.into_iter().chain(config).map(PathBuf::from).collect()
}

fn of_role(reader: &mut Reader<'_, '_, '_>, region: &str) -> Option<AwsKeySource> {
    let role_arn = reader.need("role_arn", "such as role_arn = \"env:AWS_ROLE_ARN\"", plain);
    let help = "such as token_file = \"env:AWS_WEB_IDENTITY_TOKEN_FILE\"";
    let token_file = reader.need("token_file", help, plain);
    let session_name = reader.take("session_name", plain).unwrap_or_else(|| "tidegate".to_owned());
    let endpoint = reader.take("endpoint", token_endpoint);
    let sts = || {
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://sts.{region}.amazonaws.com{suffix}")
    };
    Some(AwsKeySource::WebIdentity {
        endpoint: or_default(endpoint, sts),
        role_arn: role_arn?,
        session_name,
        token_file: PathBuf::from(token_file?),
    })
}
