//! Checks AWS signatures (Signature Version 4) as the service does: the canonical request is built
//! again from the bytes that came, and every field that has to be signed must be.
//!
//! Own code, which shares nothing with what signs (`upstream/credentials/aws/sign.rs`): it is the
//! other half of the proof. Source: AWS, "Create a signed AWS API request".

use ring::hmac;
use sha2::{Digest, Sha256};

use super::super::request::Head;
use super::issued::Keys;
use crate::types::hex;

/// How far the date of a signature may be off.
const SKEW_S: u64 = 300;
const REFUSED: &str = "The request signature we calculated does not match the signature you provided.";

/// The parts of an `authorization` field.
struct Claim<'a> {
    id: &'a str,
    /// `20150830/us-east-1/bedrock/aws4_request`.
    scope: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

/// Checks a request against the keys of the id it names.
pub fn verify(
    head: &Head,
    body: &[u8],
    now_s: u64,
    keys: impl Fn(&str) -> Option<Keys>,
) -> Result<(), String> {
    let said = |text: &str| Err(text.to_owned());
    let mut fields: Vec<(String, String)> =
        head.headers().into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    fields.sort_by(|one, two| one.0.cmp(&two.0));
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let Some(authorization) = field("authorization") else { return said("Missing Authentication Token") };
    let Some(claim) = claim(authorization) else { return said("IncompleteSignatureException") };
    let Some(keys) = keys(claim.id) else {
        return said("The security token included in the request is invalid.");
    };
    let Some(date) = field("x-amz-date") else { return said("there is no x-amz-date") };
    let is_fresh = unix_s(date).is_some_and(|at| at.abs_diff(now_s) <= SKEW_S);
    if !is_fresh {
        return said("Signature expired");
    }
    if field("x-amz-security-token") != keys.session.as_deref() {
        return said("The security token included in the request is invalid.");
    }
    let must_be_signed = |name: &str| name == "host" || name == "content-type" || name.starts_with("x-amz-");
    if let Some((name, _)) =
        fields.iter().find(|(n, _)| must_be_signed(n) && !claim.signed.contains(&n.as_str()))
    {
        return Err(format!("{name} is not signed"));
    }
    let mut parts = claim.scope.split('/');
    let (day, region, service, end) = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(day), Some(region), Some("bedrock"), Some("aws4_request")) = (day, region, service, end) else {
        return said("Credential should be scoped to correct service: 'bedrock'.");
    };
    if !date.starts_with(day) {
        return said(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
        );
    }
    let canonical = canonical(head, body, &fields, &claim.signed);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{}\n{}", claim.scope, sha256(canonical.as_bytes()));
    let mut key = format!("AWS4{}", keys.secret).into_bytes();
    for part in [day, region, "bedrock", "aws4_request"] {
        key = hmac_of(&key, part);
    }
    if hex(&hmac_of(&key, &to_sign)) == claim.signature { Ok(()) } else { said(REFUSED) }
}

fn claim(authorization: &str) -> Option<Claim<'_>> {
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let part =
        |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (id, scope) = part("Credential")?.split_once('/')?;
    let signed = part("SignedHeaders")?.split(';').collect();
    Some(Claim { id, scope, signed, signature: part("Signature")? })
}

fn canonical(head: &Head, body: &[u8], fields: &[(String, String)], signed: &[&str]) -> String {
    let query = head.target.split_once('?').map_or("", |(_, query)| query);
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    let mut lines = vec![head.method.clone(), encoded_again(head.path()), pairs.join("&")];
    for name in signed {
        let values: Vec<String> = fields
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        lines.push(format!("{name}:{}", values.join(",")));
    }
    lines.extend([String::new(), signed.join(";"), sha256(body)]);
    lines.join("\n")
}

/// The path as it came, each segment encoded once more: what every service but S3 signs.
fn encoded_again(path: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    path.chars().map(|c| if is_kept(c) { c.to_string() } else { format!("%{:02X}", u32::from(c)) }).collect()
}

/// Seconds since 1970 of `20150830T123600Z`.
fn unix_s(date: &str) -> Option<u64> {
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    if date.len() != 16 || !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let in_year: u64 = months.iter().take(month as usize - 1).sum();
    Some((before + in_year + day - 1) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn hmac_of(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2015-08-30T12:36:00Z.
    const NOW: u64 = 1_440_938_160;
    const TOKEN: &str = "AQoDYXdzEPT//wEXAMPLE==";

    fn keys(id: &str) -> Option<Keys> {
        (id == "AKIDEXAMPLE").then(|| Keys {
            id: id.to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session: Some(TOKEN.to_owned()),
            expires_s: u64::MAX,
        })
    }

    /// Signed by botocore 1.44.5 (`botocore.auth.SigV4Auth`, its clock set to this time); see
    /// `tests/sdk/sigv4_vectors.py`.
    fn signed(path: &str, signature: &str) -> Head {
        let mut head = Head::default();
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: bedrock-runtime.us-east-1.amazonaws.com\r\n\
             Content-Type: application/json\r\nX-Amz-Date: 20150830T123600Z\r\nX-Amz-Security-Token: {TOKEN}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature={signature}\r\n\r\n"
        );
        head.read(text.as_bytes()).unwrap().unwrap();
        head
    }

    const PATH: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream";
    const BODY: &[u8] = b"{\"anthropic_version\":\"bedrock-2023-05-31\"}";
    const SIGNATURE: &str = "8aa6516f457bbfb1d7216dd4a666f6b5025fbb88419141e9238e7b7003ab7f2b";

    #[test]
    fn what_botocore_signed_is_taken_and_nothing_else_is() {
        assert_eq!(verify(&signed(PATH, SIGNATURE), BODY, NOW, keys), Ok(()));
        assert_eq!(verify(&signed(PATH, SIGNATURE), b"{}", NOW, keys), Err(REFUSED.to_owned()));
        let other = PATH.replace("%3A0", "%3A1");
        assert!(verify(&signed(&other, SIGNATURE), BODY, NOW, keys).is_err());
        assert!(verify(&signed(PATH, "00"), BODY, NOW, keys).is_err());
        assert!(verify(&signed(PATH, SIGNATURE), BODY, NOW + SKEW_S + 1, keys).is_err());
        assert!(verify(&signed(PATH, SIGNATURE), BODY, NOW, |_| None).is_err());
    }

    #[test]
    fn dates_are_read_and_nonsense_is_none() {
        assert_eq!(unix_s("20150830T123600Z"), Some(NOW));
        assert_eq!(unix_s("20240229T235959Z"), Some(1_709_251_199));
        for date in ["", "20151330T123600Z", "20150800T000000Z", "2015-08-30T12:36:00Z", "x0150830T123600Z"] {
            assert_eq!(unix_s(date), None, "{date}");
        }
    }
}
