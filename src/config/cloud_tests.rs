//! Credentials of clouds: what is taken, and what each mistake says.

use super::mistakes_tests::{KEYS, only, read};
use super::{AwsKeySource, AzureProof, Cloud, Config, GoogleAccount, Report};
use std::path::Path;

/// A file with one provider of these lines.
fn provider(lines: &str) -> Result<Config, Report> {
    read(&format!("[providers.p]\n{lines}\n[models.m]\ntargets = [{{ provider = \"p\" }}]\n{KEYS}"))
}

fn cloud(lines: &str) -> Cloud {
    let config = provider(lines).unwrap_or_else(|report| panic!("{report}"));
    config.providers["p"].cloud.clone().expect("an account")
}

fn said(lines: &str) -> String {
    only(provider(lines))
}

const BEDROCK: &str = "kind = \"bedrock\"\nregion = \"eu-west-1\"\n";
const VERTEX: &str = "kind = \"vertex\"\nregion = \"europe-west1\"\nproject = \"p-1\"\n";
const AZURE: &str = "kind = \"azure-openai\"\nresource = \"r\"\n";

fn bedrock(aws: &str) -> String {
    format!("{BEDROCK}aws = {{ {aws} }}")
}

#[test]
fn aws_keys_come_from_one_of_four_places() {
    let Cloud::Aws(account) = cloud(&bedrock(
        "access_key_id = \"env:ID\", secret_access_key = \"env:KEY\", session_token = \"env:TOKEN\"",
    )) else {
        panic!("no AWS")
    };
    assert_eq!(account.region, "eu-west-1");
    let AwsKeySource::Static { access_key_id, secret_access_key, session_token } = &account.source else {
        panic!("{account:?}")
    };
    assert_eq!((access_key_id.expose(), secret_access_key.expose()), ("value-of-ID", "value-of-KEY"));
    assert_eq!(session_token.as_ref().unwrap().expose(), "value-of-TOKEN");
    assert!(!format!("{account:?}").contains("value-of"), "{account:?}");
    let source = |aws: &str| match cloud(&bedrock(aws)) {
        Cloud::Aws(account) => account.source,
        other => panic!("{other:?}"),
    };
    // The environment of these tests has a value for every name.
    let files = ["value-of-AWS_SHARED_CREDENTIALS_FILE", "value-of-AWS_CONFIG_FILE"].map(Into::into).to_vec();
    assert_eq!(source("profile = \"prod\""), AwsKeySource::Profile { name: "prod".into(), files });
    assert_eq!(
        source("profile = \"env:AWS_PROFILE\", credentials_file = \"/run/aws\""),
        AwsKeySource::Profile { name: "value-of-AWS_PROFILE".into(), files: vec!["/run/aws".into()] }
    );
    assert_eq!(source("imds = true"), AwsKeySource::Imds { endpoint: "http://169.254.169.254".into() });
    assert_eq!(
        source("role_arn = \"arn:aws:iam::1:role/r\", token_file = \"env:TOKEN_FILE\""),
        AwsKeySource::WebIdentity {
            endpoint: "https://sts.eu-west-1.amazonaws.com".into(),
            role_arn: "arn:aws:iam::1:role/r".into(),
            session_name: "tidegate".into(),
            token_file: "value-of-TOKEN_FILE".into(),
        }
    );
}

#[test]
fn mistakes_with_aws_keys_are_told() {
    for (aws, message) in [
        ("", "`aws` names no source of keys"),
        ("profile = \"a\", imds = true", "`aws` names more than one source of keys"),
        ("access_key_id = \"env:ID\"", "missing `secret_access_key`"),
        ("access_key_id = \"AKIA\", secret_access_key = \"env:K\"", "a secret must not stand in this file"),
        ("imds = false", "leave `imds` out, or set it to true"),
        ("role_arn = \"r\"", "missing `token_file`"),
        ("profile = \"a\", endpoint = \"https://x\"", "`endpoint` is only for `role_arn` and `imds`"),
        (
            "role_arn = \"r\", token_file = \"t\", endpoint = \"http://sts.example\"",
            "secrets are sent there: the address must be https://",
        ),
        ("profil = \"a\", imds = true", "unknown field `profil`, did you mean `profile`?"),
    ] {
        assert_eq!(said(&bedrock(aws)), message, "{aws}");
    }
    let without = "kind = \"bedrock\"\nbase_url = \"https://b.example\"\naws = { imds = true }";
    assert_eq!(said(without), "`aws` needs a `region`");
    assert_eq!(said(BEDROCK), "kind `bedrock` needs an `api_key` or `aws`");
    let both = format!("{}\napi_key = \"env:K\"", bedrock("imds = true"));
    assert_eq!(said(&both), "`api_key` and `aws` exclude each other");
    let foreign = "kind = \"openai\"\napi_key = \"env:K\"\naws = { region = \"r\", imds = true }";
    assert_eq!(said(foreign), "`aws` is not for kind `openai`");
}

#[test]
fn a_caret_shows_where_the_account_is_wrong() {
    let report =
        provider(&bedrock("role_arn = \"r\", token_file = \"t\", endpoint = \"http://far\"")).unwrap_err();
    let expected = r#"error: secrets are sent there: the address must be https://
 --> f.toml:4:54   in providers.p.aws
4 | aws = { role_arn = "r", token_file = "t", endpoint = "http://far" }
  |                                                      ^^^^^^^^^^^^
  = help: http:// is taken for addresses of the loopback only
"#;
    assert_eq!(report.render(false).split("\n\n").next().map(str::trim_end), Some(expected.trim_end()));
}

#[test]
fn vertex_needs_a_project_and_an_account() {
    let Cloud::Google(account) = cloud(&format!("{VERTEX}google = {{ metadata = true }}")) else {
        panic!("no Google")
    };
    assert_eq!(account, GoogleAccount::Metadata { endpoint: "http://metadata.google.internal".into() });
    assert_eq!(said(VERTEX), "kind `vertex` needs `google`");
    let keyed = format!("{VERTEX}api_key = \"env:K\"");
    assert_eq!(said(&keyed), "kind `vertex` takes no `api_key`, but `google`");
    let homeless = "kind = \"vertex\"\nregion = \"global\"\ngoogle = { metadata = true }";
    assert_eq!(said(homeless), "kind `vertex` needs a `project`");
    for (google, message) in [
        ("", "`google` names no account"),
        ("metadata = true, service_account = \"env:SA\"", "`google` names more than one account"),
        (
            "service_account = \"env:SA\"",
            "this is no credentials file of Google's with `type` `service_account` or `authorized_user`",
        ),
        ("service_account = \"{}\"", "a secret must not stand in this file"),
        ("metadata = false", "leave `metadata` out, or set it to true"),
    ] {
        assert_eq!(said(&format!("{VERTEX}google = {{ {google} }}")), message, "{google}");
    }
    let missing = said(&format!("{VERTEX}google = {{ workload_identity = \"/nowhere/at/all\" }}"));
    assert!(missing.starts_with("the file cannot be read"), "{missing}");
}

#[test]
fn vertex_lives_at_its_region_or_at_no_single_one() {
    for (region, host) in [
        ("europe-west1", "https://europe-west1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ] {
        let lines = format!(
            "kind = \"vertex\"\nregion = \"{region}\"\nproject = \"p\"\ngoogle = {{ metadata = true }}"
        );
        assert_eq!(provider(&lines).unwrap().providers["p"].base_url.as_str(), host);
    }
}

#[test]
fn azure_takes_a_key_or_an_application() {
    let azure = "tenant = \"t.example\", client_id = \"app\", client_secret = \"env:S\"";
    let Cloud::Azure(account) = cloud(&format!("{AZURE}azure = {{ {azure} }}")) else { panic!("no Azure") };
    assert_eq!(account.authority, "https://login.microsoftonline.com");
    assert_eq!(account.scope, "https://cognitiveservices.azure.com/.default");
    let AzureProof::Secret(secret) = &account.proof else { panic!("{account:?}") };
    assert_eq!(secret.expose(), "value-of-S");
    let federated = "tenant = \"t\", client_id = \"app\", token_file = \"/run/token\"";
    let Cloud::Azure(account) = cloud(&format!("{AZURE}azure = {{ {federated} }}")) else {
        panic!("no Azure")
    };
    assert_eq!(account.proof, AzureProof::TokenFile(Path::new("/run/token").into()));
    for (azure, message) in [
        ("client_id = \"a\", client_secret = \"env:S\"", "missing `tenant`"),
        ("tenant = \"t\", client_id = \"a\"", "`azure` has either `client_secret` or `token_file`"),
        (
            "tenant = \"a/b\", client_id = \"a\", client_secret = \"env:S\"",
            "`tenant` is an id or a domain: letters, digits, `-`, `_`, `.`",
        ),
    ] {
        assert_eq!(said(&format!("{AZURE}azure = {{ {azure} }}")), message, "{azure}");
    }
}

#[test]
fn azures_classic_paths_are_asked_for_by_their_version() {
    let classic = format!("{AZURE}api_key = \"env:K\"\napi_version = \"2024-10-21\"");
    let config = provider(&classic).unwrap();
    let names: Vec<_> = config.providers["p"].protocols.iter().map(|p| p.as_str()).collect();
    assert_eq!(names, ["chat"]);
    let responses = format!("{classic}\nprotocols = [\"responses\"]");
    assert_eq!(said(&responses), "Azure's classic paths have no `responses`");
    let foreign = "kind = \"openai\"\napi_key = \"env:K\"\napi_version = \"1\"";
    assert_eq!(said(foreign), "`api_version` is only for the Azure kinds");
    let betas = "kind = \"openai\"\napi_key = \"env:K\"\nanthropic_betas = [\"x\"]";
    assert_eq!(said(betas), "`anthropic_betas` is only for Bedrock and Vertex");
}
