//! The shared credentials file, `~/.aws/credentials`, and the config file beside it.

use super::super::CredentialError;
use super::AwsKeys;
use crate::types::Secret;

/// The keys of a profile in the first file that has them.
pub(super) fn keys(files: &[String], name: &str) -> Result<AwsKeys, CredentialError> {
    files.iter().find_map(|text| of_file(text, name)).ok_or_else(|| {
        CredentialError::lasting(format!(
            "no AWS profile `{name}` with `aws_access_key_id` and `aws_secret_access_key` was found"
        ))
    })
}

fn of_file(text: &str, name: &str) -> Option<AwsKeys> {
    let value = |key: &str| value(text, name, key).filter(|value| !value.is_empty());
    Some(AwsKeys {
        access_key_id: value("aws_access_key_id")?.to_owned(),
        secret_access_key: Secret::new(value("aws_secret_access_key")?),
        session_token: value("aws_session_token").map(Secret::new),
    })
}

/// The last value of a key in the profile's sections: `[name]`, or `[profile name]` of the config file.
fn value<'t>(text: &'t str, name: &str, key: &str) -> Option<&'t str> {
    let mut is_inside = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            let section = section.0.trim();
            let plain = section.strip_prefix("profile ").map_or(section, str::trim);
            is_inside = plain == name;
        } else if is_inside
            && !line.starts_with(['#', ';'])
            && let Some((left, right)) = line.split_once('=')
            && left.trim().eq_ignore_ascii_case(key)
        {
            found = Some(right.trim());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
# comment
[default]
aws_access_key_id=AKID0
aws_secret_access_key = a/b=c+d==
[profile work]
  AWS_ACCESS_KEY_ID = AKID1
;aws_secret_access_key = no
aws_secret_access_key = s1
aws_session_token = t1
[ empty ]
aws_access_key_id =
aws_secret_access_key = x
";

    #[test]
    fn each_profile_has_its_own_keys() {
        let file = [FILE.to_owned()];
        let default = keys(&file, "default").unwrap();
        assert_eq!(default.secret_access_key.expose(), "a/b=c+d==");
        assert_eq!(default.session_token, None);
        let work = keys(&file, "work").unwrap();
        assert_eq!((work.access_key_id.as_str(), work.session_token.unwrap().expose()), ("AKID1", "t1"));
    }

    #[test]
    fn a_profile_that_is_missing_or_not_whole_is_named() {
        for name in ["empty", "other"] {
            let error = keys(&[String::new(), FILE.to_owned()], name).unwrap_err();
            assert!(error.what.contains(&format!("`{name}`")) && !error.is_passing);
        }
    }
}
