//! The words of a mapping file: keys and instructions, one list for reading, suggestions and editors.
//!
//! It must not know what they do: `template` reads them, `compile` gives them their meaning.

/// All instructions, for suggestions and for editors.
pub const INSTRUCTIONS: [&str; 9] = [
    "$field",
    "$optional",
    "$date",
    "$instant",
    "$identifier",
    "$reference",
    "$optional_reference",
    "$translate",
    "$when",
];

/// Keys of a mapping file.
pub const FILE_KEYS: [&str; 7] =
    ["mapping", "dataset", "version", "must_yield", "switches", "not_reported", "resources"];
/// Keys of a resource in it.
pub const RESOURCE_KEYS: [&str; 6] = ["name", "certainty", "switch", "source", "when", "resource"];
