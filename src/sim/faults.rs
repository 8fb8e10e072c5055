//! Scripted faults: what `x-sim-fault` and a scenario's `fault` can say.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// Faults one request may combine.
const FAULTS_MAX: usize = 8;
/// The longest padded line.
const HUGE_LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One way to misbehave. `HELP` says what each does; the names there are these, in kebab case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Refuse,
    BlackHole,
    Status(u16),
    SlowHeader(Duration),
    SlowDrip(Duration),
    ResetAfter(u64),
    CloseAfter(u64),
    EndAfter(u64),
    ErrorAfter(u64),
    BreakWithin(u64),
    MalformedSse,
    SplitEveryByte,
    WrongContentLength(i64),
    BothLengths,
    HugeLine(usize),
    Hold,
    NotJson,
    Empty,
    NoTerminal,
    NoDone,
    NoUsage,
    RejectStreamOptions,
    EchoHeaders,
    CloseIdleAfter(u64),
    RaceAfter(u64),
}

/// The faults of one request, in the order they were written. Empty: behave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn one(fault: Fault) -> Self {
        Self(vec![fault])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// The first value `pick` finds.
    pub fn find<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(pick)
    }

    /// Makes of what is left to chance what `drawn` says.
    pub fn decide(&mut self, drawn: u64) {
        for fault in &mut self.0 {
            if let Fault::BreakWithin(most) = *fault {
                let after = 1 + (drawn >> 8) % most;
                *fault = match drawn % 4 {
                    0 => Fault::ResetAfter(after),
                    1 => Fault::CloseAfter(after),
                    2 => Fault::EndAfter(after),
                    _ => Fault::ErrorAfter(after),
                };
            }
        }
    }

    pub fn status(&self) -> Option<u16> {
        self.find(|fault| if let Fault::Status(status) = fault { Some(*status) } else { None })
    }

    pub fn huge_line(&self) -> Option<usize> {
        self.find(|fault| if let Fault::HugeLine(bytes) = fault { Some(*bytes) } else { None })
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let faults: Vec<Fault> = list
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(parse_one)
            .collect::<Result<_, _>>()?;
        if faults.len() > FAULTS_MAX {
            return Err(format!("more than {FAULTS_MAX} faults"));
        }
        Ok(Self(faults))
    }
}

impl TryFrom<String> for Faults {
    type Error = String;

    fn try_from(list: String) -> Result<Self, String> {
        list.parse()
    }
}

fn parse_one(word: &str) -> Result<Fault, String> {
    let (name, value) = word.split_once(':').map_or((word, None), |(name, value)| (name, Some(value.trim())));
    let fault = match name {
        "refuse" => Fault::Refuse,
        "black-hole" => Fault::BlackHole,
        "malformed-sse" => Fault::MalformedSse,
        "split-every-byte" => Fault::SplitEveryByte,
        "both-lengths" => Fault::BothLengths,
        "hold" => Fault::Hold,
        "not-json" => Fault::NotJson,
        "empty" => Fault::Empty,
        "no-terminal" => Fault::NoTerminal,
        "no-done" => Fault::NoDone,
        "no-usage" => Fault::NoUsage,
        "reject-stream-options" => Fault::RejectStreamOptions,
        "echo-headers" => Fault::EchoHeaders,
        _ => return parse_valued(word, name, value),
    };
    if value.is_some() { Err(format!("fault `{name}` takes no value")) } else { Ok(fault) }
}

fn parse_valued(word: &str, name: &str, value: Option<&str>) -> Result<Fault, String> {
    let wrong = || format!("fault `{word}` is not known, or its value is not a number in range");
    let value = value.ok_or_else(wrong)?;
    let number: u64 = value.trim_start_matches(['+', '-']).parse().map_err(|_| wrong())?;
    let millis = Duration::from_millis(number.min(3_600_000));
    let fault = match name {
        "status" => {
            Fault::Status(u16::try_from(number).ok().filter(|s| (200..600).contains(s)).ok_or_else(wrong)?)
        }
        "slow-header" => Fault::SlowHeader(millis),
        "slow-drip" => Fault::SlowDrip(millis),
        "reset-after" => Fault::ResetAfter(number),
        "close-after" => Fault::CloseAfter(number),
        "end-after" => Fault::EndAfter(number),
        "error-after" => Fault::ErrorAfter(number),
        "break-within" => Fault::BreakWithin(number.max(1)),
        "wrong-content-length" => Fault::WrongContentLength(value.parse().map_err(|_| wrong())?),
        "huge-line" => Fault::HugeLine(
            usize::try_from(number).ok().filter(|bytes| *bytes <= HUGE_LINE_BYTES_MAX).ok_or_else(wrong)?,
        ),
        "close-idle-after" => Fault::CloseIdleAfter(number),
        "race-after" => Fault::RaceAfter(number),
        _ => return Err(wrong()),
    };
    Ok(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_in_order() {
        let faults: Faults = "status:503, slow-header:20 ,wrong-content-length:-3".parse().unwrap();
        assert_eq!(
            faults.0,
            [Fault::Status(503), Fault::SlowHeader(Duration::from_millis(20)), Fault::WrongContentLength(-3)]
        );
        assert_eq!("".parse::<Faults>().unwrap(), Faults::default());
    }

    #[test]
    fn chance_decides_how_and_where_a_stream_breaks_within_its_bound() {
        let drawn = |number| {
            let mut faults: Faults = "break-within:3".parse().unwrap();
            faults.decide(number);
            faults
        };
        assert_eq!(drawn(0), Faults::one(Fault::ResetAfter(1)));
        assert_eq!(drawn(1 + (2 << 8)), Faults::one(Fault::CloseAfter(3)));
        assert_eq!(drawn(2 + (3 << 8)), Faults::one(Fault::EndAfter(1)));
        assert_eq!(drawn(3 + (1 << 8)), Faults::one(Fault::ErrorAfter(2)));
    }

    #[test]
    fn every_fault_of_the_help_is_known_and_mistakes_are_refused() {
        let listed = crate::sim::HELP.lines().skip_while(|line| !line.contains("one or more of")).skip(1);
        let mut seen = 0;
        for line in listed.take_while(|line| !line.is_empty()) {
            let word = line.split_whitespace().next().unwrap();
            if line.starts_with("    ") && !line.starts_with("     ") {
                let word = word
                    .replace(":N", ":5")
                    .replace(":MS", ":5")
                    .replace(":BYTES", ":5")
                    .replace(":+N", ":+5");
                assert!(word.replace("status:5", "status:500").parse::<Faults>().is_ok(), "{word}");
                seen += 1;
            }
        }
        assert_eq!(seen, 25);
        for wrong in ["explode", "status", "status:abc", "status:99", "hold:3", "huge-line:99999999999"] {
            assert!(wrong.parse::<Faults>().is_err(), "{wrong}");
        }
    }
}
