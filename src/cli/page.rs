//! TextPage: lines with a label each, for terminals.

/// TextPage: text to read, a label before the first line of what belongs together.
#[derive(Debug, Default)]
pub(super) struct TextPage(String);

impl TextPage {
    /// A line; control characters are shown, not sent to the terminal.
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

    /// A line for each text, the label before the first; nothing for none.
    pub(super) fn list(&mut self, label: &str, texts: &[String]) {
        for (at, text) in texts.iter().enumerate() {
            self.line(if at == 0 { label } else { "" }, text);
        }
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}
