//! How a model is loaded, in the reducer.

use std::mem::take;
use std::rc::Rc;

use protocol::{DeviceReport, Failure, FailureKind, LoadProgress, ModelInfo, ModelSource, Request};

use super::reduce::Stored;
use super::{Loaded, Loading, ModelPhase, State};
use crate::model_url::model_url;

impl State {
    pub(super) fn load(&mut self, source: ModelSource) {
        if !self.can_load() {
            return;
        }
        self.alerts.clear();
        let options = self.options;
        self.request(Request::Load { source: source.clone(), options });
        let loading = Loading { source, options, progress: None, cancelling: false, asked: false };
        self.model = ModelPhase::Loading(Rc::new(loading));
        self.choosing = true;
        self.status = "Loading the model…";
    }

    pub(super) fn load_url(&mut self) {
        if !self.can_load() {
            return;
        }
        match model_url(&self.url) {
            Ok(url) => self.load(self.source_of(url)),
            Err(message) => self.alert(Failure { kind: FailureKind::ModelFile, message: message.to_owned() }),
        }
    }

    /// The catalogue's hashes go with an address of the catalogue, whoever typed it.
    fn source_of(&self, url: String) -> ModelSource {
        let known = self.catalogue.iter().find(|entry| entry.url == url);
        let pieces = known.map(|entry| entry.pieces.clone()).unwrap_or_default();
        ModelSource::Url { url, pieces }
    }

    pub(super) fn cancel_load(&mut self) {
        let ModelPhase::Loading(loading) = &mut self.model else { return };
        if loading.cancelling {
            return;
        }
        Rc::make_mut(loading).cancelling = true;
        self.request(Request::Stop);
    }

    pub(super) fn load_came_further(&mut self, progress: LoadProgress) {
        if let ModelPhase::Loading(loading) = &mut self.model {
            Rc::make_mut(loading).progress = Some(progress);
        }
    }

    pub(super) fn load_done(&mut self, model: ModelInfo, device: DeviceReport, not_stored: Option<Failure>) {
        let ModelPhase::Loading(loading) = &self.model else { return };
        let (source, options, asked) = (loading.source.clone(), loading.options, loading.asked);
        let mut model = model;
        if let ModelSource::Url { url, .. } = &source {
            self.mark_stored(url, if not_stored.is_some() { Stored::No } else { Stored::Yes });
            // What the site calls a model is often kinder than what its file does.
            if let Some(entry) = self.catalogue.iter().find(|entry| entry.url == *url) {
                model.name.clone_from(&entry.name);
            }
        }
        let caveat = |message: &String| Failure { kind: FailureKind::Caveat, message: message.clone() };
        for failure in not_stored.into_iter().chain(model.warnings.iter().map(caveat)) {
            self.alert(failure);
        }
        self.model = ModelPhase::Loaded(Rc::new(Loaded { source, options, model, device }));
        self.choosing = false;
        self.usage = None;
        self.url.clear();
        self.status = "The model is ready.";
        if asked {
            // What the load had to say is still to be read.
            let alerts = take(&mut self.alerts);
            self.send_draft();
            self.alerts = alerts;
        }
    }

    pub(super) fn load_stopped(&mut self) {
        if matches!(self.model, ModelPhase::Loading(_)) {
            self.model = ModelPhase::Absent;
            self.status = "Loading was stopped. What has arrived is kept.";
        }
    }
}
