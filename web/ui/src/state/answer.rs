//! How a question is asked and answered, in the reducer.

use std::mem::take;
use std::rc::Rc;

use protocol::{
    ChatMessage, Content, FailureKind, FinishReason, GenerateOptions, Request, Role, ToolCall, ToolEvent,
    Usage,
};

use super::{Answer, Ending, Entry, ModelPhase, State, Wanted};
use crate::route::Route;

impl State {
    /// What is sent while a model loads waits for it. Once it is changed, it does not.
    pub(super) fn change_draft(&mut self, draft: String) {
        self.draft = draft;
        if let ModelPhase::Loading(loading) = &mut self.model {
            Rc::make_mut(loading).asked = false;
        }
    }

    pub(super) fn send_draft(&mut self) {
        if let ModelPhase::Loading(loading) = &mut self.model {
            Rc::make_mut(loading).asked = !self.draft.trim().is_empty();
        }
        if self.answer.is_none() && self.blocker().is_none() && !self.draft.trim().is_empty() {
            let question = take(&mut self.draft);
            self.ask(question);
        }
    }

    pub(super) fn ask(&mut self, question: String) {
        if self.answer.is_some() || self.blocker().is_some() || question.trim().is_empty() {
            return;
        }
        self.push_entry(Role::User, question);
        self.put_away.clear();
        self.start_answer();
    }

    pub(super) fn regenerate(&mut self) {
        if !self.can_regenerate() {
            return;
        }
        self.conversation.pop_if(|last| last.role == Role::Assistant);
        self.start_answer();
    }

    /// The last entry of the conversation is the question.
    fn start_answer(&mut self) {
        let messages = self.messages();
        let turn = self.next_number();
        // The page offers no tools of its own yet.
        let tools = None;
        let options = GenerateOptions { sampling: self.sampling.clone(), ..GenerateOptions::default() };
        self.request(Request::Generate { turn, messages, tools, options });
        self.push_entry(Role::Assistant, String::new());
        self.answer = Some(Answer { turn, prefill: None, stopping: false });
        self.alerts.clear();
        self.choosing = false;
        self.status = "Generating…";
    }

    /// The conversation as the model gets it. A question that was never answered is left out, unless it is the
    /// last one: templates expect the two sides to take turns.
    fn messages(&self) -> Vec<ChatMessage> {
        let mut messages: Vec<ChatMessage> = Vec::new();
        for entry in &self.conversation {
            let message = message(entry);
            if entry.role == Role::User {
                messages.pop_if(|last| last.role == Role::User);
                messages.push(message);
            } else if !entry.text.is_empty() || !message.tool_calls.is_empty() {
                messages.push(message);
            }
        }
        messages
    }

    fn push_entry(&mut self, role: Role, text: String) {
        let id = self.next_number();
        self.conversation.push(Rc::new(Entry { id, role, text, wants: Vec::new(), ending: None }));
    }

    pub(super) fn stop_answer(&mut self) {
        if let Some(answer) = self.answer.as_mut().filter(|answer| !answer.stopping) {
            answer.stopping = true;
            self.request(Request::Stop);
        }
    }

    /// The answer in progress, if `turn` is its number.
    fn current(&mut self, turn: u32) -> Option<&mut Answer> {
        self.answer.as_mut().filter(|answer| answer.turn == turn)
    }

    pub(super) fn prompt_read(&mut self, turn: u32, prefill: (u32, u32)) {
        if let Some(answer) = self.current(turn) {
            answer.prefill = Some(prefill);
        }
    }

    pub(super) fn text_came(&mut self, turn: u32, text: &str, usage: Usage) {
        if self.current(turn).is_none() {
            return;
        }
        self.usage = Some(usage);
        if let Some(entry) = self.conversation.last_mut() {
            Rc::make_mut(entry).text.push_str(text);
        }
    }

    pub(super) fn tool_came(&mut self, turn: u32, event: ToolEvent) {
        if self.current(turn).is_none() {
            return;
        }
        let Some(entry) = self.conversation.last_mut() else { return };
        let entry = Rc::make_mut(entry);
        // Whatever follows a beginning takes its place.
        entry.wants.pop_if(|last| matches!(last, Wanted::Begun(_)));
        match event {
            ToolEvent::Begun { name } => entry.wants.push(Wanted::Begun(name)),
            ToolEvent::Call { call } => entry.wants.push(Wanted::Call(call)),
            ToolEvent::Code { code } => entry.wants.push(Wanted::Code(code)),
            ToolEvent::Malformed { text, .. } | ToolEvent::Text { text } => entry.text.push_str(&text),
        }
    }

    pub(super) fn answer_finished(&mut self, turn: u32, reason: FinishReason, usage: Usage) {
        if self.current(turn).is_none() {
            return;
        }
        self.usage = Some(usage);
        self.end_answer(Ending::Finished(reason));
        self.status = match reason {
            FinishReason::Stopped => "Answer stopped.",
            FinishReason::ToolCalls => "The model has called a tool.",
            _ => "Answer complete.",
        };
    }

    /// Ends the answer in progress, if there is one. Its text stays; a prompt that could not be answered goes back
    /// to the composer, for the person to change it or its settings.
    pub(super) fn answer_failed(&mut self, kind: FailureKind) {
        if self.answer.is_none() {
            return;
        }
        self.end_answer(Ending::Failed);
        self.status = "The answer failed.";
        let unanswered = self.conversation.last().is_some_and(|last| last.is_empty());
        if matches!(kind, FailureKind::Prompt | FailureKind::Sampling) && unanswered {
            self.conversation.pop();
            if let Some(question) = self.conversation.pop() {
                self.draft = join_drafts(&question.text, &self.draft);
            }
        }
    }

    fn end_answer(&mut self, ending: Ending) {
        self.answer = None;
        if let Some(entry) = self.conversation.last_mut() {
            let entry = Rc::make_mut(entry);
            entry.wants.pop_if(|last| matches!(last, Wanted::Begun(_)));
            entry.ending = Some(ending);
        }
    }

    pub(super) fn new_chat(&mut self) {
        if self.answer.is_some() {
            self.stop_answer();
            self.end_answer(Ending::Finished(FinishReason::Stopped));
        }
        if !self.conversation.is_empty() {
            self.put_away = take(&mut self.conversation);
        }
        self.usage = None;
        self.alerts.clear();
        self.choosing = false;
        self.route = Route::Chat;
        self.status = "New chat.";
    }

    pub(super) fn bring_back(&mut self) {
        if self.conversation.is_empty() {
            self.conversation = take(&mut self.put_away);
            self.status = "The last chat is back.";
        }
    }
}

/// An entry as the model gets it.
fn message(entry: &Entry) -> ChatMessage {
    let call = |wanted: &Wanted| match wanted {
        Wanted::Call(call) => Some(call.clone()),
        Wanted::Begun(_) | Wanted::Code(_) => None,
    };
    let tool_calls: Vec<ToolCall> = entry.wants.iter().filter_map(call).collect();
    let content = Some(Content::Text(entry.text.clone()));
    ChatMessage { role: entry.role, content, tool_calls, tool_call_id: None, name: None }
}

fn join_drafts(question: &str, draft: &str) -> String {
    if draft.trim().is_empty() { question.to_owned() } else { format!("{question}\n\n{draft}") }
}
