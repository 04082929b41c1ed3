//! `pronk chat`: a conversation in the terminal, or one message a line from a file.
//!
//! What the model says goes to stdout; the prompt sign, statistics and remarks go to stderr.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result};
use engine::{Engine, EngineError};
use indicatif::HumanCount;
use protocol::{ChatMessage, Content, Conversation, FailureKind, FinishReason, GenerateOptions, Role, Usage};

use super::stream::{Prompt, generate_options, stream};
use crate::args::ChatArgs;
use crate::ids::tools_from_file;
use crate::interrupt::Interrupt;
use crate::output::{print, sentence, tell};
use crate::source::load_to_answer;

const HELP: &str = "/new starts a new chat, /stats shows figures of the last answer, /quit ends. \
                    Ctrl-C stops an answer.";

/// What a line of input asks for.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Nothing,
    Message(&'a str),
    New,
    Stats,
    Quit,
    Help,
}

/// A conversation in progress.
struct Chat {
    engine: Engine,
    conversation: Conversation,
    options: GenerateOptions,
    usage: Usage,
    interrupt: Interrupt,
}

pub(crate) fn chat(args: &ChatArgs) -> Result<()> {
    // A file that can't be read should be heard of before a model is loaded.
    let tools = tools_from_file(&args.conversation)?;
    let date_string = args.conversation.date_string.clone();
    let conversation = Conversation { tools, date_string, ..Conversation::from(Vec::new()) };
    let options = args.device.load_options(args.context.context(), args.kv);
    let engine = load_to_answer(&args.model, &args.guess, options)?;
    let interrupt = Interrupt::listen()?;
    let sampling = engine.with_makers(&args.sampling.sampling(args.logprobs));
    let options = generate_options(args.max_tokens, sampling);
    let chat = Chat { engine, conversation, options, usage: Usage::default(), interrupt };
    chat.run(io::stdin().lock())
}

impl Chat {
    fn run(mut self, mut input: io::StdinLock) -> Result<()> {
        let terminal = input.is_terminal();
        if terminal {
            let (name, adapter) = (&self.engine.info().name, &self.engine.device().adapter);
            tell(&format!("{name} on {adapter}. {HELP}"));
        }
        let mut text = String::new();
        loop {
            if terminal {
                let _ = write!(io::stderr(), "> ");
            }
            text.clear();
            if input.read_line(&mut text).context("The next message can't be read")? == 0 {
                if terminal {
                    tell(""); // Else the shell goes on in the line of the prompt sign.
                }
                return Ok(());
            }
            match Line::parse(&text) {
                Line::Nothing => {}
                Line::Quit => return Ok(()),
                Line::Help => tell(HELP),
                Line::Stats => tell(&self.stats()),
                Line::New => self.conversation.messages.clear(),
                Line::Message(text) => match self.answer(text) {
                    // A person can say something else; a file can't.
                    Err(error) if terminal && is_about_the_prompt(&error) => tell(&sentence(&error)),
                    answered => answered?,
                },
            }
        }
    }

    /// Answers one message. If that fails, the conversation is as if it had not been said.
    fn answer(&mut self, text: &str) -> Result<()> {
        let before = self.conversation.messages.len();
        self.conversation.messages.push(said(Role::User, text));
        let answered = self.stream();
        match answered {
            Ok(_) => {}
            Err(_) => self.conversation.messages.truncate(before),
        }
        answered
    }

    fn stream(&mut self) -> Result<()> {
        let ids = self.engine.render_turn(&self.conversation)?.ids;
        let prompt = Prompt { ids, calls: self.engine.call_parser(&self.conversation) };
        self.interrupt.arm();
        let answer = stream(&mut self.engine, prompt, &self.options, &|| self.interrupt.came());
        self.interrupt.disarm();
        let answer = answer?;
        print("\n")?;
        match answer.reason {
            FinishReason::EndOfTurn => {}
            FinishReason::ToolCalls => tell("(nothing was run; tell the model what its tools would give)"),
            FinishReason::Stopped => tell("(stopped)"),
            FinishReason::MaxTokens => tell("(cut off: --max-tokens allows no more)"),
            FinishReason::ContextFull => tell("(cut off: the context is full; /new starts a new chat)"),
        }
        self.usage = answer.usage;
        let message = ChatMessage { tool_calls: answer.calls, ..said(Role::Assistant, &answer.text) };
        self.conversation.messages.push(message);
        Ok(())
    }

    fn stats(&self) -> String {
        let Usage { prompt_tokens, reused_tokens, completion_tokens, guessed_tokens, context_used, .. } =
            self.usage;
        let used = HumanCount(context_used.into());
        let context = HumanCount(self.engine.info().context.into());
        let seed = self.usage.seed.map(|seed| format!("; seed {seed}")).unwrap_or_default();
        format!(
            "{completion_tokens} tokens at {:.1} tok/s, {guessed_tokens} of them guessed, the first after {:.1} s; prompt of {prompt_tokens} tokens, \
             {reused_tokens} of them known, read at {:.1} tok/s; {used} of {context} tokens of context used{seed}",
            self.usage.decode_tokens_per_second,
            self.usage.seconds_to_first_token,
            self.usage.prefill_tokens_per_second,
        )
    }
}

impl Line<'_> {
    /// A slash makes a command of a single word only: paths and the like begin with one too.
    fn parse(line: &str) -> Line<'_> {
        match line.trim() {
            "" => Line::Nothing,
            "/new" => Line::New,
            "/stats" => Line::Stats,
            "/quit" | "/exit" => Line::Quit,
            word if is_a_command(word) => Line::Help,
            message => Line::Message(message),
        }
    }
}

fn said(role: Role, text: &str) -> ChatMessage {
    let content = Some(Content::Text(text.to_owned()));
    ChatMessage { role, content, tool_calls: Vec::new(), tool_call_id: None, name: None }
}

fn is_about_the_prompt(error: &anyhow::Error) -> bool {
    error.downcast_ref::<EngineError>().is_some_and(|error| error.failure().kind == FailureKind::Prompt)
}

fn is_a_command(word: &str) -> bool {
    word.strip_prefix('/').is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let rows = [
            ("", Line::Nothing),
            (" \t\r\n", Line::Nothing),
            ("/new\n", Line::New),
            (" /stats ", Line::Stats),
            ("/quit\r\n", Line::Quit),
            ("/exit", Line::Quit),
            ("/help", Line::Help),
            ("/mew", Line::Help),
            ("/", Line::Help),
            ("/etc/hosts", Line::Message("/etc/hosts")),
            ("/new is a command?", Line::Message("/new is a command?")),
            ("  Hello, /new \n", Line::Message("Hello, /new")),
        ];
        for (line, expected) in rows {
            assert_eq!(Line::parse(line), expected, "{line:?}");
        }
    }
}
