//! Light, dark, or as the system has it.

/// What the person chose; remembered under [`Theme::KEY`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Follow the system.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// Where the choice is kept in `localStorage`.
    pub(crate) const KEY: &str = "pronk.theme";

    /// As kept in storage and in `<html data-theme>`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The theme of that name; the system's for anything else.
    pub(crate) fn from_name(name: &str) -> Theme {
        [Theme::Light, Theme::Dark].into_iter().find(|theme| theme.name() == name).unwrap_or_default()
    }

    /// What the toggle goes to.
    pub(crate) fn next(self) -> Theme {
        match self {
            Theme::System => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::System,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_order() {
        let mut theme = Theme::System;
        for expected in ["light", "dark", "system"] {
            theme = theme.next();
            assert_eq!(theme.name(), expected);
            assert_eq!(Theme::from_name(expected), theme);
        }
        assert_eq!(Theme::from_name("purple"), Theme::System);
    }
}
