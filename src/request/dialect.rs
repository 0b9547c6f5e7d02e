//! Dialect: what each kind of upstream server reads differently.

/// Dialect: how the server behind an API reads paths, header names and method overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// Refuses whatever any other dialect gives a meaning.
    #[default]
    Strict,
    /// ASP.NET Core on Kestrel: literals ignore case, a slash at the end does not count, `;` is a letter.
    Aspnet,
}

impl Dialect {
    /// The words that a policy may use, in the order in which help texts list them.
    pub const WORDS: [(&'static str, Self); 2] = [("strict", Self::Strict), ("aspnet", Self::Aspnet)];

    /// The word that policies use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Aspnet => "aspnet",
        }
    }

    /// Whether the server ignores the case of literal segments.
    pub fn folds_case(self) -> bool {
        self == Self::Aspnet
    }

    /// Whether the server takes a path with a slash at its end for the one without.
    pub fn drops_trailing_slash(self) -> bool {
        self == Self::Aspnet
    }

    /// Whether `;` and dots or blanks at the end of a segment are refused, because some server cuts there.
    pub fn refuses_cuts(self) -> bool {
        self == Self::Strict
    }

    /// Whether forms may carry a method override, so that their bodies are read.
    ///
    /// ASP.NET Core reads a form field only where the application names one (`HttpMethodOverrideOptions`).
    pub fn reads_forms(self) -> bool {
        self == Self::Strict
    }
}
