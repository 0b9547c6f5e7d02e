//! TextPage: text output for terminals, with a label at each line.

/// TextPage: lines of text; the first line of each group has a label.
#[derive(Debug, Default)]
pub(super) struct TextPage(String);

impl TextPage {
    /// Adds a line; control characters are escaped, so that they do not reach the terminal.
    pub(super) fn line(&mut self, label: &str, text: &str) {
        let mut shown = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_control() {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
        }
        self.0.push_str(&format!("{label:<10}{shown}\n"));
    }

    /// Adds a line for each text, with the label at the first.
    pub(super) fn list(&mut self, label: &str, texts: &[String]) {
        for (index, text) in texts.iter().enumerate() {
            self.line(if index == 0 { label } else { "" }, text);
        }
    }

    /// The text of all lines.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}
