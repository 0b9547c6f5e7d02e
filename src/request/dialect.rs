//! Dialect: what each kind of upstream server reads differently.

mod table;
mod traits;

pub use traits::{DialectTraits, Treatment};

/// Dialect: how the server behind an API reads paths, parameters and method overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// Not known: refuses whatever any other dialect gives a meaning.
    #[default]
    Strict,
    /// ASP.NET Core on Kestrel.
    Aspnet,
    /// ASP.NET and files on IIS.
    Iis,
    /// Servlets and JAX-RS on Tomcat.
    Tomcat,
    /// Spring MVC and WebFlux.
    Spring,
    /// PHP and CGI behind Apache or FPM, with Symfony, Laravel or none.
    Php,
    /// Django, Flask and other WSGI applications.
    Wsgi,
    /// Express on Node.js.
    Express,
    /// Files and locations of nginx.
    Nginx,
}

impl Dialect {
    /// The words that a policy may use, in the order in which help texts list them.
    pub const KEYWORDS: [(&'static str, Self); 9] = [
        (table::STRICT.name, Self::Strict),
        (table::ASPNET.name, Self::Aspnet),
        (table::IIS.name, Self::Iis),
        (table::TOMCAT.name, Self::Tomcat),
        (table::SPRING.name, Self::Spring),
        (table::PHP.name, Self::Php),
        (table::WSGI.name, Self::Wsgi),
        (table::EXPRESS.name, Self::Express),
        (table::NGINX.name, Self::Nginx),
    ];

    /// The word that policies use.
    pub fn as_str(self) -> &'static str {
        self.traits().name
    }

    /// What its servers do.
    pub fn traits(self) -> &'static DialectTraits {
        match self {
            Self::Strict => &table::STRICT,
            Self::Aspnet => &table::ASPNET,
            Self::Iis => &table::IIS,
            Self::Tomcat => &table::TOMCAT,
            Self::Spring => &table::SPRING,
            Self::Php => &table::PHP,
            Self::Wsgi => &table::WSGI,
            Self::Express => &table::EXPRESS,
            Self::Nginx => &table::NGINX,
        }
    }
}

#[cfg(test)]
mod tests;
