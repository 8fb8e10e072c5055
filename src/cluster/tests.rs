//! Against a Redis of the test's own; told and passed over where there is none on this machine.
