//! Reading the text exposition of metrics.

/// What `/metrics` answered.
pub struct Exposition(pub String);

impl Exposition {
    /// The sum of the series of `name` that have all of `labels`.
    #[track_caller]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let mut sum = None;
        for line in self.0.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (held, text) = series.split_once('{').unwrap_or((series, ""));
            if held != name {
                continue;
            }
            let has = |(label, value): &(&str, &str)| text.contains(&format!("{label}=\"{value}\""));
            let value = if labels.iter().all(has) { value.parse().unwrap() } else { 0.0 };
            sum = Some(sum.unwrap_or(0.0) + value);
        }
        sum.unwrap_or_else(|| panic!("no series of {name}"))
    }
}
