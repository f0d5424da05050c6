//! The line editor, put together.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use reedline::{
    ColumnarMenu, EditCommand, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Reedline, ReedlineEvent,
    ReedlineMenu, default_emacs_keybindings,
};

use super::completer::SqlCompleter;
use super::highlighter::SqlHighlighter;
use super::names::Names;
use super::validator::StatementValidator;
use crate::output::note;

/// Statements that the history keeps.
const HISTORY_ENTRIES: usize = 10_000;
const MENU: &str = "completion";

/// An editor with history, completion, colours and statements over several lines.
pub(super) fn build(names: &Arc<RwLock<Names>>) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let complete = vec![ReedlineEvent::Menu(MENU.to_string()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
    let menu = ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name(MENU)));
    let editor = Reedline::create()
        .with_completer(Box::new(SqlCompleter::new(Arc::clone(names))))
        .with_highlighter(Box::new(SqlHighlighter))
        .with_validator(Box::new(StatementValidator))
        .with_menu(menu)
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .use_bracketed_paste(true);
    match history_file().map(|file| FileBackedHistory::with_file(HISTORY_ENTRIES, file)) {
        Some(Ok(history)) => editor.with_history(Box::new(history)),
        Some(Err(error)) => {
            note(&format!("warning: the history is not kept: {error}"));
            editor
        }
        None => editor,
    }
}

fn history_file() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("sluice").join("history.txt"))
}
