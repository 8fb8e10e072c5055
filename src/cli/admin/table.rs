//! Lists for people: columns as wide as what is in them.

use serde_json::Value;

/// A value in one cell: texts without quotes, lists with commas, nothing for null. Control characters
/// are taken out, so that a name cannot write to the terminal.
pub fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(","),
        Some(other) => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Rows under their heads.
pub fn render(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heads.get(column).map(|head| head.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(heads.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_line_up_and_names_cannot_write_to_the_terminal() {
        let rows =
            vec![vec!["ten_1".to_owned(), cell(Some(&json!("a\u{1b}[2J")))], vec!["t".into(), "b".into()]];
        assert_eq!(render(&["ID", "NAME"], &rows), "ID     NAME\nten_1  a [2J\nt      b\n");
        assert_eq!(cell(Some(&json!(["a", 1, null]))), "a,1,");
    }
}
