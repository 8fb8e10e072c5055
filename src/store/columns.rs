//! Rows for an insert, column by column: PostgreSQL takes a column as one array, SQLite value by value.

/// The values of one column, one for each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Number(Vec<i64>),
    /// Some may be null.
    Numbers(Vec<Option<i64>>),
    Text(Vec<String>),
    /// Some may be null.
    Texts(Vec<Option<String>>),
}
