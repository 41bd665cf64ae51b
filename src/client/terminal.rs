//! The user's side: a keyboard and a screen, whichever kind they are.

use std::cell::Cell;
use std::env;
use std::io::{self, IsTerminal};

use async_channel::Receiver;

use crate::client::burst::{Burst, InputPiece};
use crate::client::dialogue::commands;
use crate::client::hidden::Hidden;
use crate::client::plain::{self, Remarks};
use crate::client::typeahead;
use crate::config::{Connect, Format};
use crate::error::Error;
use crate::interrupt::Trigger;
use crate::screen::{self, Stream};
use crate::stdio::Piece;
use crate::terminal::{self, Editor, Prompt, Purpose, Typed};
use crate::texts::Texts;

/// Standard input and output, or the line editor on both.
pub struct Terminal {
    /// Whether to print in colour.
    pub colour: bool,
    /// The output is a terminal.
    pub output_is_terminal: bool,
    /// A person types, and can be asked.
    pub is_interactive: bool,
    /// The editor, if there is one.
    pub editor: Option<Editor>,
    /// Where it is said what concerns the client itself, if there is none.
    pub remarks: Remarks,
    keys: Keys,
    /// The program ends because the user wants it.
    left: Cell<bool>,
}

enum Keys {
    Plain(Burst),
    Editor(Receiver<Typed>),
}

impl Terminal {
    /// Looks what there is. A Ctrl-C that is only a key pulls `interrupt`.
    ///
    /// # Errors
    /// [`Error::Threads`] if the system gives too few.
    pub fn open(
        config: &Connect,
        interrupt: Trigger,
        texts: &'static Texts,
    ) -> Result<Terminal, Error> {
        let output_is_terminal = io::stdout().is_terminal();
        let variable = |name: &str| env::var(name).unwrap_or_default();
        let colour = config.color.is_wanted(output_is_terminal, variable);
        colored::control::set_override(colour);
        #[cfg(windows)]
        colored::control::set_virtual_terminal(true).ok();
        let is_interactive = io::stdin().is_terminal();
        let purpose = || Purpose {
            commands: commands::commands(texts.client.language),
            addresses: true,
            colour,
            notifies: config.notify,
            interrupt,
            garbled: texts.client.garbled,
            texts: &texts.terminal,
        };
        // If the terminal does not take part, a plain one is better than none.
        let editor = (config.format == Format::Text && terminal::is_capable())
            .then(|| Editor::start(purpose()).ok())
            .flatten();
        let (editor, keys) = match editor {
            Some((editor, typed)) => (Some(editor), Keys::Editor(typed)),
            None => {
                let lines = plain::keyboard().map_err(Error::Threads)?;
                (None, Keys::Plain(Burst::of(lines, is_interactive)))
            }
        };
        Ok(Terminal {
            colour,
            output_is_terminal,
            is_interactive,
            editor,
            keys,
            remarks: Remarks::start().map_err(Error::Threads)?,
            left: Cell::new(false),
        })
    }

    /// The program ends because the user wants it. Gives the exit status back.
    pub fn user_left(&self, status: u8) -> u8 {
        self.left.set(true);
        status
    }

    /// Forgets what was typed for the chat and not read: a shell would take it for a
    /// command. A user that leaves may have typed the next command already.
    pub fn close(&self) {
        if self.is_interactive && !self.left.get() {
            typeahead::forget();
        }
    }

    /// The next line that is typed, or a part of a long one; none at the end of the
    /// input.
    ///
    /// # Errors
    /// If the input cannot be read. Nothing more comes then.
    pub async fn next(&self) -> io::Result<Option<InputPiece>> {
        match &self.keys {
            Keys::Plain(lines) => lines.next().await,
            Keys::Editor(typed) => Ok(match typed.recv().await {
                Ok(Typed::Line { text, pasted }) => {
                    let piece = Piece { bytes: text.into(), begins: true, ends: true };
                    Some(InputPiece { piece, pasted })
                }
                Ok(Typed::End) | Err(_) => None,
            }),
        }
    }

    /// Says something about the client itself, where it disturbs nothing.
    pub fn remark(&self, text: &str) {
        remark(self.editor.as_ref(), &self.remarks, text);
    }

    /// Asks something, to which the next line is the answer. `draft` is in the line
    /// already where there is an editor.
    pub fn ask(&self, question: &str, draft: &str) {
        match &self.editor {
            Some(editor) => editor.set_prompt(Prompt {
                text: question.into(),
                draft: draft.into(),
                question: true,
                hidden: false,
            }),
            None => self.remarks.say(question.into()),
        }
    }

    /// Asks for something that must not be shown. Returns what was typed; none at the end
    /// of the input.
    ///
    /// # Errors
    /// If the input cannot be read, or the terminal would show what is typed.
    pub async fn ask_hidden(&self, question: &str) -> io::Result<Option<String>> {
        let _hidden = match &self.editor {
            Some(editor) => {
                let (text, draft) = (question.into(), String::new());
                editor.set_prompt(Prompt { text, draft, question: true, hidden: true });
                None
            }
            None => {
                let hidden = Hidden::begin()?;
                self.remarks.say(question.into());
                Some(hidden)
            }
        };
        let line = self.next().await?;
        if line.is_none() {
            self.break_line(); // The cursor stands behind the question.
        }
        Ok(line.map(|line| String::from_utf8_lossy(&line.piece.bytes).into_owned()))
    }

    /// A line was shown behind a question that was not answered.
    pub fn break_line(&self) {
        if self.editor.is_none() {
            self.remarks.say("\n".into());
        }
    }
}

/// Says something about the client itself, where it disturbs nothing.
pub fn remark(editor: Option<&Editor>, remarks: &Remarks, text: &str) {
    match editor {
        Some(editor) => _ = editor.print(&(screen::fit(text, Stream::Output) + "\n")),
        None => remarks.say((screen::fit(text, Stream::Error) + "\n").into_owned()),
    }
}
