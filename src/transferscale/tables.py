"""Ground floor: the schema of every table, with a sentence for every column.

Code, documentation and tests all read this module. Tables are parquet; :func:`write_table` refuses rows that do not
fit the schema and writes atomically, :func:`read_table` refuses a file that lacks a column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from transferscale.artefacts import atomic
from transferscale.errors import UserError, nearest

TEXT, INT, REAL, YES = pa.string(), pa.int64(), pa.float64(), pa.bool_()
REALS, TEXTS = pa.list_(pa.float64()), pa.list_(pa.string())


@dataclass(frozen=True)
class Table:
    """A table's columns, name -> (type, meaning). ``open`` tables may carry more columns (participants' own)."""

    columns: Mapping[str, tuple[pa.DataType, str]]
    open: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The arrow schema of the declared columns."""
        return pa.schema([(name, kind) for name, (kind, _) in self.columns.items()])


# What a trunk is asked at log-spaced steps; null at all others.
PROBED: dict[str, tuple[pa.DataType, str]] = {
    "heldout_loss": (REAL, "loss on the held-out clips, as in checkpoints; of the trunk, null elsewhere"),
    "effective_rank": (REAL, "effective rank of their features, null where the trunk was not probed"),
    "feature_spread": (REAL, "spread of their features, null where the trunk was not probed"),
    "probe": (REAL, "score of a ridge read-out of their features, null where the trunk was not probed"),
}

TABLES: dict[str, Table] = {
    "manifest": Table(
        {
            "video_id": (TEXT, "first 16 hex digits of the content's SHA-256"),
            "uri": (TEXT, "where the file lies"),
            "sha256": (TEXT, "SHA-256 of the content"),
            "bytes": (INT, "size of the file"),
            "container": (TEXT, "container format as the demuxer names it"),
            "codec": (TEXT, "video codec"),
            "duration_s": (REAL, "duration in seconds, from the audited frames"),
            "fps": (REAL, "mean frames per second"),
            "variable_fps": (YES, "whether frame intervals differ by more than 1 %"),
            "frames": (INT, "frames that decoded in the audit"),
            "width": (INT, "pixels, after rotation"),
            "height": (INT, "pixels, after rotation"),
            "rotation": (INT, "display rotation in degrees"),
            "pixel_format": (TEXT, "pixel format as decoded"),
            "has_audio": (YES, "whether there is an audio stream"),
            "licence": (TEXT, "licence as declared by the source"),
            "source": (TEXT, "index and kind of the study's source, as in '0:folder'"),
            "label": (TEXT, "class of the video, null where none is known"),
            "split": (TEXT, "train or heldout where the source fixes it (synthetic videos), else null"),
            "phash": (TEXT, "64-bit perceptual hash of the middle frame, hex"),
            "backend": (TEXT, "reader that decodes it: decord or pyav"),
            "status": (TEXT, "ok or quarantined"),
            "reason": (TEXT, "why it was quarantined"),
        }
    ),
    "clips": Table(
        {
            "clip_id": (TEXT, "video_id and start frame"),
            "video_id": (TEXT, "video the clip was cut from"),
            "source": (TEXT, "source of the video, as in the manifest"),
            "label": (TEXT, "class of the video, null where none is known"),
            "shot": (INT, "number of the shot within the video"),
            "start_s": (REAL, "start within the video, seconds"),
            "seconds": (REAL, "length, seconds"),
            "split": (TEXT, "train or heldout, decided by the video, so that no video is on both sides"),
            "fraction_rank": (
                REAL,
                "uniform in [0, 1) by hash of the video: a nested fraction f keeps ranks < f",
            ),
            "motion": (REAL, "mean absolute frame difference in units of the clip's SD"),
            "sharpness": (REAL, "variance of the Laplacian of the middle frame"),
            "shard": (TEXT, "file in the clip store; null for a dropped row"),
            "offset": (INT, "row in that file; null for a dropped row"),
            "dropped": (YES, "kept out of training, and out of the store"),
            "reason": (TEXT, "why it was dropped"),
        }
    ),
    "curve": Table(
        {
            "step": (INT, "optimiser step, counted over the whole trunk"),
            "clips_seen": (INT, "clips seen up to and including this step"),
            "phase": (TEXT, "trunk or decay"),
            "loss": (REAL, "training loss of the step"),
            "learning_rate": (REAL, "factor applied to the base learning rate"),
            "grad_norm": (REAL, "gradient norm before clipping"),
            **PROBED,
        }
    ),
    "checkpoints": Table(
        {
            "reader_id": (TEXT, "name of the checkpoint in every other table"),
            "corpus": (TEXT, "corpus it was pretrained on"),
            "control": (TEXT, "control corpus, empty for the corpus itself"),
            "fraction": (REAL, "nested fraction of the corpus"),
            "objective": (TEXT, "pretraining objective"),
            "family": (TEXT, "architecture family"),
            "depth": (INT, "the dial"),
            "seed": (INT, "pretraining seed"),
            "rung": (INT, "rung of the budget ladder, from 1"),
            "fold": (INT, "outer fold for in-domain pretraining, -1 elsewhere"),
            "params_total": (INT, "trained parameters, decoder included"),
            "params_encoder": (INT, "parameters kept for transfer (N)"),
            "params_nonembedding": (INT, "encoder parameters without tokenizer and positions"),
            "flops_formula": (REAL, "training FLOPs up to the end of the decay, by formula (C)"),
            "flops_counted": (REAL, "the same from torch's FlopCounterMode on one step"),
            "clips_seen": (INT, "clips seen, D (budget of the rung)"),
            "clips_unique": (INT, "different clips among them, U"),
            "tokens_seen": (INT, "tokens encoded or asked of the decoder"),
            "train_loss": (REAL, "mean training loss over the last tenth of the decay"),
            "heldout_loss": (REAL, "loss on held-out clips, the same clips and masks for every checkpoint"),
            "heldout_low": (REAL, "lower end of its 95 % interval over held-out videos"),
            "heldout_high": (REAL, "upper end of its 95 % interval over held-out videos"),
            "effective_rank": (
                REAL,
                "effective rank of the features of held-out clips; near 1 they collapsed",
            ),
            "feature_spread": (REAL, "spread of their directions, 0 (collapsed) to 1 (isotropic)"),
            "precision": (TEXT, "precision it was trained in: fp32 or bf16"),
            "grad_norm": (REAL, "mean gradient norm before clipping over the last tenth of the decay"),
            "flags": (
                TEXT,
                "signs of instability, as in 'loss-spike x2 from step 311; collapse'; '' for none",
            ),
            "path": (TEXT, "folder of the checkpoint, relative to the results folder of the study"),
        }
    ),
    "recordings": Table(
        {
            "dataset": (TEXT, "name of the dataset"),
            "subject": (TEXT, "participant_id, with its sub- prefix where it has one"),
            "session": (TEXT, "BIDS session, empty when there is none"),
            "task": (TEXT, "BIDS task, empty when there is none"),
            "run": (TEXT, "BIDS run, empty when there is none"),
            "site": (TEXT, "site or scanner, empty when unknown"),
            "family_group": (TEXT, "family, or the subject itself"),
            "path": (TEXT, "file, relative to the dataset's root"),
            "part": (INT, "row in a file that holds several recordings, null elsewhere"),
            "stretch": (
                TEXT,
                "JSON: number (from 1), first volume, volumes and those of the run, where runs are cut; else null",
            ),
            "files": (TEXT, "JSON: role (image, right, mask, confounds, events) -> path under root"),
            "n_volumes": (INT, "volumes"),
            "tr_s": (REAL, "repetition time, seconds"),
            "space": (TEXT, "template space, or 'parcels'"),
            "orientation": (TEXT, "axis codes of the image, as in RAS; empty for series"),
            "mean_fd": (REAL, "mean framewise displacement in mm, null when unknown"),
            "bytes": (INT, "size of the file"),
            "sha256": (
                TEXT,
                "SHA-256 of the file where another has its size and middle, null elsewhere: no copy of it",
            ),
            "status": (TEXT, "ok, quarantined, or excluded by a condition of the dataset"),
            "reason": (TEXT, "why it was quarantined or excluded; of one that is ok, what to know about it"),
        },
        open=True,
    ),
    "windows": Table(
        {
            "window_id": (INT, "row of the window in the view's clip store"),
            "recording": (TEXT, "path of the recording"),
            "subject": (TEXT, "subject"),
            "session": (TEXT, "session"),
            "run": (TEXT, "run"),
            "site": (TEXT, "site"),
            "family_group": (TEXT, "family group"),
            "window": (INT, "number of the window within its recording, from 0"),
            "start": (INT, "first volume"),
            "volumes": (INT, "volumes in the window"),
            "trial_type": (TEXT, "event that the window follows, empty where windows are regular"),
            "shard": (TEXT, "file in the clip store"),
            "offset": (INT, "row in that file"),
        }
    ),
    "predictions": Table(
        {
            "dataset": (TEXT, "dataset"),
            "task": (TEXT, "task"),
            "kind": (TEXT, "classification, regression or state"),
            "view": (TEXT, "view"),
            "arm": (TEXT, "arm: what the read-out starts from"),
            "control": (TEXT, "control corpus, empty otherwise"),
            "reader_id": (TEXT, "checkpoint or baseline"),
            "read_out": (TEXT, "read-out"),
            "n_labels": (TEXT, "labelled subjects: a number, or 'all'"),
            "n_train": (INT, "labelled subjects really used in this fold"),
            "draw": (INT, "label draw"),
            "seed": (INT, "pretraining or initialisation seed, -1 for baselines"),
            "repeat": (INT, "repeat of the outer K-fold"),
            "fold": (INT, "outer fold"),
            "condition": (
                TEXT,
                "clean, corrupt:<what>, attack, site, onto:<dataset> or continual:<sequence>; begins with permuted "
                "where labels are",
            ),
            "severity": (INT, "severity of the condition from 1, the stage of a sequence; 0 when clean"),
            "subject": (TEXT, "test subject"),
            "session": (TEXT, "session, empty for subject-level tasks"),
            "run": (TEXT, "run, empty for subject-level tasks"),
            "window": (INT, "window, -1 for subject-level tasks"),
            "site": (TEXT, "site"),
            "family_group": (TEXT, "family group"),
            "y_true": (REAL, "truth: the target, or the index into classes"),
            "y_pred": (REAL, "prediction: a value, or the index into classes"),
            "y_score": (REALS, "one decision score a class; empty for regression"),
            "y_prob": (
                REALS,
                "probability of each class where classes are equally frequent; empty for regression and states, which "
                "are fitted with squared error",
            ),
            "classes": (TEXTS, "class names in the order of y_score; empty for regression"),
            "choice": (TEXT, "hyperparameters chosen inside the training subjects, JSON"),
            "split_hash": (TEXT, "hash of splits.json"),
        }
    ),
    "scores": Table(
        {
            "dataset": (TEXT, "dataset"),
            "task": (TEXT, "task"),
            "kind": (TEXT, "classification, regression or state"),
            "view": (TEXT, "view"),
            "arm": (TEXT, "arm"),
            "read_out": (TEXT, "read-out"),
            "reader_group": (TEXT, "reader without its seed, as in video.demo.mae.vit-d2.r3"),
            "depth": (INT, "depth, 0 for baselines"),
            "rung": (INT, "rung, 0 where nothing was pretrained"),
            "n_labels": (TEXT, "labelled subjects: a number, or 'all'"),
            "n_train": (REAL, "mean number of labelled subjects really used"),
            "metric": (TEXT, "metric"),
            "value": (REAL, "mean over repeats, draws and seeds"),
            "low": (REAL, "lower end of the 95 % interval: new subjects, draws and seeds"),
            "high": (REAL, "upper end of the 95 % interval"),
            "n_subjects": (INT, "test subjects"),
            "n_seeds": (INT, "pretraining or initialisation seeds"),
            "n_draws": (INT, "label draws"),
        }
    ),
    "behaviour": Table(
        {
            "dataset": (TEXT, "dataset that the task was learned on"),
            "task": (TEXT, "task"),
            "kind": (TEXT, "classification, regression or state"),
            "view": (TEXT, "view"),
            "arm": (TEXT, "arm"),
            "read_out": (TEXT, "read-out; 'ridge' is the last layer alone here"),
            "reader_group": (TEXT, "reader without its seed"),
            "depth": (INT, "depth, 0 for baselines"),
            "rung": (INT, "rung, 0 where nothing was pretrained"),
            "n_labels": (TEXT, "labelled subjects: a number, or 'all'"),
            "n_train": (REAL, "mean number of labelled subjects really used"),
            "condition": (TEXT, "clean, corrupt:<what>, attack, site or onto:<dataset>"),
            "severity": (INT, "severity from 1, 0 when clean"),
            "amount": (
                REAL,
                "what the severity is of: of a corruption as its docs say, of an attack its radius in SDs of the "
                "window, else null",
            ),
            "metric": (
                TEXT,
                "metric; brier and ece (calibration, below 0 where none is seen) are better when lower",
            ),
            "value": (REAL, "mean over repeats, draws and seeds"),
            "low": (REAL, "lower end of the 95 % interval: new subjects, draws and seeds"),
            "high": (REAL, "upper end of the 95 % interval"),
            "clean": (REAL, "the same read-outs' value on the clean recordings of the task's own dataset"),
            "drop": (
                REAL,
                "how much worse than clean, positive when worse whatever the metric; null for clean itself",
            ),
            "drop_low": (
                REAL,
                "lower end of its 95 % interval, paired; for onto subjects of the two datasets are resampled apart",
            ),
            "drop_high": (REAL, "upper end of that interval"),
            "n_subjects": (INT, "test subjects"),
            "n_seeds": (INT, "pretraining or initialisation seeds"),
            "n_draws": (INT, "label draws"),
        }
    ),
    "continual": Table(
        {
            "sequence": (INT, "number of the sequence of tasks, from 1"),
            "tasks": (TEXT, "its tasks in their order, as 'dataset/task > dataset/task'"),
            "arm": (TEXT, "arm"),
            "read_out": (TEXT, "read-out; 'ridge' does not move the network and cannot forget"),
            "reader_group": (TEXT, "reader without its seed"),
            "depth": (INT, "depth, 0 for baselines"),
            "rung": (INT, "rung, 0 where nothing was pretrained"),
            "n_labels": (TEXT, "labelled subjects a task: a number, or 'all'"),
            "stage": (INT, "tasks learned so far"),
            "quantity": (
                TEXT,
                "score of one task, or over the tasks so far: average (ACC), backward_transfer (BWT, Lopez-Paz and "
                "Ranzato 2017) and forgetting (Chaudhry et al. 2018)",
            ),
            "dataset": (TEXT, "of a score: dataset of the task; else empty"),
            "task": (TEXT, "of a score: task; else empty"),
            "metric": (
                TEXT,
                "of a score: metric of the task; else 'above_chance', (score - chance) / (1 - chance)",
            ),
            "value": (REAL, "mean over repeats, draws and seeds"),
            "low": (REAL, "lower end of the 95 % interval: new subjects, draws and seeds"),
            "high": (REAL, "upper end of the 95 % interval"),
            "n_subjects": (INT, "test subjects, over the tasks so far each counted once a dataset"),
            "n_seeds": (INT, "pretraining or initialisation seeds"),
            "n_draws": (INT, "label draws"),
        }
    ),
    "gains": Table(
        {
            "dataset": (TEXT, "dataset"),
            "task": (TEXT, "task"),
            "kind": (TEXT, "classification, regression or state"),
            "view": (TEXT, "view"),
            "arm": (TEXT, "arm"),
            "reference": (TEXT, "arm it is compared with, on the same subjects, folds and draws"),
            "read_out": (TEXT, "read-out"),
            "reader_group": (TEXT, "reader of the arm without its seed, as in video.demo.mae.vit-d2.r3"),
            "depth": (INT, "depth of the arm"),
            "rung": (INT, "rung of the arm"),
            "n_labels": (TEXT, "labelled subjects: a number, or 'all'"),
            "n_train": (REAL, "mean number of labelled subjects really used"),
            "metric": (TEXT, "metric"),
            "n_subjects": (INT, "test subjects"),
            "n_draws": (INT, "label draws that arm and reference share"),
            "n_seeds": (INT, "seeds that arm and reference share"),
            "arm_value": (REAL, "the arm's score"),
            "reference_value": (REAL, "the reference's score"),
            "detectable_before": (
                REAL,
                "smallest detectable gain from the reference alone, if the arm varies as much and correlates 0.5 "
                "with it; null where the reference does not vary",
            ),
            "detectable": (REAL, "smallest gain detectable with 80 % power at two-sided 5 %"),
            "estimate": (REAL, "gain: arm minus reference"),
            "low": (REAL, "lower end of the paired 95 % interval"),
            "high": (REAL, "upper end of the paired 95 % interval"),
            "low90": (REAL, "lower end of the paired 90 % interval"),
            "high90": (REAL, "upper end of the paired 90 % interval"),
            "p_value": (REAL, "two-sided bootstrap p-value"),
            "p_holm": (
                REAL,
                "Holm-adjusted over the primary claims, or over the groups of a plain table; null elsewhere",
            ),
            "nb_low": (
                REAL,
                "cross-check: lower end of the 95 % interval of the corrected resampled t-test over folds "
                "(Nadeau and Bengio 2003); null with a single fold",
            ),
            "nb_high": (REAL, "cross-check: upper end of that interval"),
            "nb_p_value": (REAL, "cross-check: two-sided p-value of that test"),
            "effective_data": (REAL, "effective data transferred D_T, in subjects"),
            "effective_low": (REAL, "lower end of its 95 % interval"),
            "effective_high": (REAL, "upper end of its 95 % interval"),
            "effective_open": (
                TEXT,
                "'low', 'high' or 'both': ends of the intervals of effective data and multiplier that lie at "
                "the end of the reference's curve, the true ones beyond",
            ),
            "multiplier": (REAL, "data multiplier (D_F + D_T) / D_F"),
            "multiplier_low": (REAL, "lower end of its 95 % interval"),
            "multiplier_high": (REAL, "upper end of its 95 % interval"),
            "bound": (
                TEXT,
                "'>=' or '<=' where effective data and multiplier are only bounded, the reference's curve being left "
                "or flat there; 'flat' where the arm's own label count is inside such a stretch; '' elsewhere",
            ),
            "sesoi": (REAL, "smallest effect size of interest; null when not declared"),
            "verdict": (TEXT, "helps, hurts, equivalent or inconclusive"),
            "words": (TEXT, "the verdict with what must be said beside it"),
            "primary": (YES, "whether it is the declared primary claim; all else is exploratory"),
            "warnings": (TEXTS, "what a reader must know"),
        },
        open=True,
    ),
    "curves": Table(
        {
            "curve": (TEXT, "what is fitted, as in 'heldout_loss ~ params_encoder, rung 3'"),
            "family": (TEXT, "architecture family, or arm: what is compared within a curve"),
            "x_name": (TEXT, "column of the scale"),
            "x": (REAL, "scale"),
            "y_name": (TEXT, "heldout_loss, or error: (1 - score) / (1 - chance)"),
            "y": (REAL, "outcome"),
            "cluster": (TEXT, "what is independent of the rest: a trunk, or the point itself"),
            "pair": (TEXT, "what points of different families share"),
        }
    ),
    "laws": Table(
        {
            "group": (TEXT, "what was fitted, as in 'heldout_loss ~ params_encoder, rung 3'"),
            "law": (TEXT, "law"),
            "x": (TEXT, "column of the scale"),
            "y": (TEXT, "column of the outcome"),
            "outcome": (TEXT, "what was fitted: the column, or the error below its ceiling"),
            "parameter": (TEXT, "parameter of the law"),
            "value": (REAL, "estimate"),
            "low": (REAL, "lower end of the 95 % cluster-bootstrap interval"),
            "high": (REAL, "upper end of the 95 % cluster-bootstrap interval"),
            "identified": (YES, "whether the data determine the parameter"),
            "n": (INT, "points fitted"),
            "objective": (TEXT, "objective of the fit"),
            "rmsle_fit": (REAL, "root mean squared log error of the fit"),
            "rmsle_holdout": (REAL, "the same on the held-out largest scale; null when nothing was held out"),
            "baseline_rmsle": (REAL, "held-out error of 'no better than the best small model'"),
            "preregistered": (YES, "whether the prediction was written down before the held-out run"),
            "warnings": (TEXTS, "what a reader must know"),
        }
    ),
    "crossovers": Table(
        {
            "group": (TEXT, "where the families were compared, as in 'task = age'; '' without groups"),
            "x_column": (TEXT, "column of the scale"),
            "y_column": (TEXT, "column of the outcome"),
            "law": (TEXT, "law of both families, or 'first | second' where they differ"),
            "family_a": (TEXT, "first family"),
            "family_b": (TEXT, "second family"),
            "answer": (TEXT, "crossover, none in range, or not identified"),
            "overtakes": (TEXT, "family that leads beyond x; null where x is"),
            "x": (
                REAL,
                "scale from which one family overtakes the other; null where it is not identified. Beside 'none in "
                "range' it lies outside of the range",
            ),
            "low": (REAL, "lower end of its paired 95 % interval"),
            "high": (REAL, "upper end of its paired 95 % interval"),
            "in_range": (YES, "whether x lies in the range and in the data of both families"),
            "p_none_in_range": (REAL, "share of draws without a crossing in the range; null without draws"),
            "range_low": (REAL, "lower end of the range"),
            "range_high": (REAL, "upper end of the range"),
            "target": (REAL, "scale at which the families are ranked"),
            "p_b_better_at_target": (
                REAL,
                "share of draws in which family_b is better there; null without draws",
            ),
            "level": (REAL, "outcome at which scales are compared; one row a level"),
            "multiplier": (
                REAL,
                "scale that family_a needs for it over that of family_b; null where one never does",
            ),
            "multiplier_low": (REAL, "lower end of its paired 95 % interval; null where it is open"),
            "multiplier_high": (REAL, "upper end of its paired 95 % interval; null where it is open"),
            "verdict": (TEXT, "the comparison in a sentence"),
            "warnings": (TEXTS, "what a reader must know"),
        }
    ),
    "ladder": Table(
        {
            "family": (TEXT, "architecture family"),
            "trunk": (TEXT, "trunk of the checkpoint, which its rungs share"),
            "depth": (INT, "the dial"),
            "seed": (INT, "pretraining seed"),
            "rung": (INT, "rung of the budget ladder, from 1"),
            "params_encoder": (INT, "parameters kept for transfer (N)"),
            "clips_seen": (INT, "clips seen, D"),
            "clips_unique": (INT, "different clips among them, U"),
            "flops_formula": (REAL, "training FLOPs up to the end of the decay (C)"),
            "heldout_loss": (REAL, "loss on held-out clips"),
        }
    ),
    "rung_prediction": Table(
        {
            "family": (TEXT, "architecture family"),
            "depth": (INT, "the dial"),
            "rung": (INT, "rung that is predicted, the last"),
            "params_encoder": (INT, "parameters kept for transfer (N)"),
            "clips_seen": (INT, "clips seen, D, at that rung"),
            "predictor": (TEXT, "surface, depth curve, or a guess: last value (of the size), best small"),
            "law": (TEXT, "law of the predictor, empty for a guess"),
            "value": (REAL, "held-out loss that is foretold"),
            "low": (REAL, "lower end of the 95 % interval of a new run; null without three trunks"),
            "high": (REAL, "upper end of the 95 % interval of a new run"),
            "n": (INT, "checkpoints that were fitted"),
            "trunks": (INT, "trunks among them"),
            "epochs_fitted": (REAL, "how often the fitted checkpoints saw their clips at most: D / U"),
            "warnings": (TEXTS, "what a reader must know"),
        }
    ),
    "rung_test": Table(
        {
            "family": (TEXT, "architecture family"),
            "predictor": (TEXT, "as in rung_prediction"),
            "law": (TEXT, "law of the predictor, empty for a guess"),
            "sizes": (INT, "sizes that were predicted"),
            "runs": (INT, "checkpoints of the last rung they are held against"),
            "rmsle": (REAL, "root mean squared log error"),
            "relative_error": (REAL, "mean absolute relative error"),
            "bias": (
                REAL,
                "mean relative error with its sign: above 0 where the loss came out lower than foretold",
            ),
            "epochs": (REAL, "how often the checkpoints of the last rung saw their clips: D / U"),
            "epochs_fitted": (REAL, "how often those it was foretold from did at most"),
            "bounded": (INT, "checkpoints whose prediction had an interval"),
            "inside": (INT, "how many of them lie inside"),
            "beats_guesses": (YES, "whether it is nearer than both guesses; null for a guess or other sizes"),
        }
    ),
    "isoflop": Table(
        {
            "group": (TEXT, "what the row belongs to, as in 'family vit'; '' without groups"),
            "n_column": (TEXT, "column of the size"),
            "c_column": (TEXT, "column of the compute"),
            "y_column": (TEXT, "column of the loss"),
            "compute": (REAL, "compute budget, in the unit of its column"),
            "answer": (
                TEXT,
                "bracketed (the best size has a worse neighbour on either side) or not bracketed",
            ),
            "side": (TEXT, "where it is not bracketed: smaller or larger, of which the best size is the end"),
            "n": (REAL, "best size, by a parabola in log size; the end where it is not bracketed"),
            "n_low": (REAL, "lower end of its 95 % interval for new trunks; null without draws"),
            "n_high": (REAL, "upper end of its 95 % interval"),
            "open": (
                TEXT,
                "low, high or both: ends of the interval that lie at the smallest or largest size",
            ),
            "loss": (REAL, "least loss"),
            "loss_low": (REAL, "lower end of its 95 % interval"),
            "loss_high": (REAL, "upper end of its 95 % interval"),
            "p_bracketed": (REAL, "share of the draws in which the minimum is bracketed"),
            "surface_n": (REAL, "best size by the fitted surface L(N, D), within the sizes that were run"),
            "surface_low": (REAL, "lower end of its 95 % interval"),
            "surface_high": (REAL, "upper end of its 95 % interval"),
            "surface_loss": (REAL, "loss of the surface there"),
            "surface_at_edge": (YES, "whether it lies at the smallest or largest size that was run"),
            "bias": (REAL, "best size by the same parabola of losses on the surface, over the surface's own"),
            "sizes": (REALS, "sizes with runs on both sides of the budget"),
            "losses": (REALS, "their losses at the budget, the mean of the trunks"),
            "trunks": (REALS, "how many trunks each has there"),
            "words": (TEXT, "the answer in words"),
            "warnings": (TEXTS, "what a reader must know"),
        }
    ),
    "plan": Table(
        {
            "group": (TEXT, "what is planned for, as in 'dataset pixar, task age, read_out ridge'"),
            "metric": (TEXT, "metric"),
            "target": (REAL, "score to reach"),
            "arm": (TEXT, "arm"),
            "pretrained": (YES, "whether the arm was pretrained"),
            "law": (TEXT, "law of the arm's error"),
            "way": (
                TEXT,
                "least (the cheapest), least within the data, or frontier (the subjects that a level of compute needs)",
            ),
            "status": (
                TEXT,
                "reachable, not reachable in range, or not identified; the latter two have no values",
            ),
            "bound": (TEXT, "'<=' where the smallest measured scale suffices, so that less might do"),
            "flops": (REAL, "pretraining FLOPs, 0 for none"),
            "flops_low": (REAL, "lower end of their 95 % interval; null where they are given"),
            "flops_high": (REAL, "upper end; infinite where it lies beyond the range"),
            "hours": (REAL, "the same as hours of the device; null without a FLOP rate"),
            "hours_low": (REAL, "lower end of their 95 % interval"),
            "hours_high": (REAL, "upper end; infinite where it lies beyond the range"),
            "subjects": (REAL, "labelled subjects, rounded up"),
            "subjects_low": (REAL, "lower end of their 95 % interval"),
            "subjects_high": (REAL, "upper end; infinite where it lies beyond the range"),
            "cost": (REAL, "price of hours and subjects; null without prices"),
            "cost_low": (REAL, "lower end of its 95 % interval"),
            "cost_high": (REAL, "upper end; infinite where it lies beyond the range"),
            "reached": (REAL, "share of the draws in which the target is reached within the range"),
            "extrapolated": (
                REAL,
                "how many times the largest measured compute or label count it takes; 1 within",
            ),
            "best": (YES, "whether it is the cheapest way of all arms"),
            "p_cheapest": (REAL, "share of the draws in which the arm is the cheapest; null without prices"),
            "words": (TEXT, "the plan in a sentence"),
            "warnings": (TEXTS, "what a reader must know"),
        }
    ),
    "transitions": Table(
        {
            "group": (TEXT, "what the row belongs to, as in 'task = age'; '' without groups"),
            "x_column": (TEXT, "column of the scale or step"),
            "y_column": (TEXT, "column of the outcome"),
            "role": (TEXT, "metric, or control (the continuous metric beside it)"),
            "row": (TEXT, "break, no break, delay (of test behind training) or forecast"),
            "answer": (
                TEXT,
                "sharp, gradual, none or not identified; of a forecast: coming, under way or cannot be told",
            ),
            "breaks": (INT, "breaks that count"),
            "p_value": (REAL, "of the last break that counts, or else of the first against none"),
            "x": (REAL, "place of the break, or of the one that is forecast"),
            "low": (REAL, "lower end of its 95 % interval"),
            "high": (REAL, "upper end of its 95 % interval"),
            "width": (REAL, "factor in x that 10 to 90 % of the slope's change takes"),
            "width_low": (REAL, "lower end of its 95 % interval"),
            "width_high": (REAL, "upper end of its 95 % interval"),
            "slope_before": (REAL, "slope of log error in log x before the break, floor apart"),
            "slope_after": (REAL, "slope after it"),
            "identified": (YES, "whether the place of the break is"),
            "breakthroughness": (
                REAL,
                "extent over the root median square of the steps; null where it is unbounded",
            ),
            "breakthroughness_low": (REAL, "lower end of its 95 % interval over clusters"),
            "breakthroughness_high": (REAL, "upper end of its 95 % interval over clusters"),
            "breakthroughness_p": (REAL, "share of smooth curves of the same noise with as large a one"),
            "linearity": (REAL, "extent over the root mean square of the steps"),
            "linearity_low": (REAL, "lower end of its 95 % interval over clusters"),
            "linearity_high": (REAL, "upper end of its 95 % interval over clusters"),
            "linearity_p": (REAL, "share of smooth curves of the same noise with as large a one"),
            "threshold": (REAL, "of the delay: value to pass for good"),
            "delay": (REAL, "mean over runs of log10(t_test / t_train)"),
            "delay_low": (REAL, "lower end of its 95 % interval"),
            "delay_high": (REAL, "upper end of its 95 % interval"),
            "bound": (TEXT, "'>=' or '<=' where the delay is a bound"),
            "p_coming": (REAL, "of the forecast: share of draws with a faster fall ahead"),
            "p_under_way": (REAL, "of the forecast: share of draws with one under way"),
            "n": (INT, "points"),
            "clusters": (INT, "clusters; of a delay, runs"),
            "verdict": (TEXT, "the answers in words"),
            "warnings": (TEXTS, "what a reader must know"),
        }
    ),
    "relative": Table(
        {
            "group": (TEXT, "what the row belongs to, as in 'family vit'"),
            "metric": (TEXT, "metric"),
            "target": (REAL, "score to reach"),
            "difficulty_column": (TEXT, "column of the difficulty"),
            "row": (
                TEXT,
                "requirement (of a difficulty), law (value is the exponent), or enough (the least that comes close to "
                "the best score)",
            ),
            "resource": (TEXT, "compute, params or labels"),
            "difficulty": (TEXT, "the difficulty; empty for a law"),
            "value": (REAL, "how much of the resource, or the law's exponent"),
            "low": (REAL, "lower end of its 95 % interval"),
            "high": (REAL, "upper end of its 95 % interval"),
            "bound": (
                TEXT,
                "'<=' where the smallest scale suffices, '>=' where the largest does not, or 'not identified'",
            ),
            "open": (
                TEXT,
                "'low', 'high' or 'both': ends of the interval that lie beyond the measured scales",
            ),
            "identified": (YES, "whether the draws determine it; null for enough"),
            "score": (REAL, "for enough: mean score of the cell"),
            "best_score": (REAL, "for enough: mean score of the best cell"),
            "saving": (REAL, "for enough: how many times as much of the resource the best cell takes"),
            "runs": (INT, "for enough: runs of the cell"),
            "warnings": (TEXTS, "what a reader must know"),
        }
    ),
}

# What varies from run to run is kept apart from the checkpoints, which do not.
TABLES["ledger"] = Table(
    {
        **TABLES["checkpoints"].columns,
        "wall_s": (
            REAL,
            "wall time of the rung's job, all attempts, seconds; null where its sidecar is missing",
        ),
        "attempts": (INT, "attempts: 1, and one for each time it was stopped and resumed"),
        "clips_per_second": (REAL, "training speed of the last attempt"),
        "device": (TEXT, "cpu, or the name of the GPU"),
        "host": (TEXT, "machine of the last attempt"),
        "threads": (INT, "CPU threads"),
        "peak_memory_mb": (REAL, "most memory used: of the GPU, or resident on a CPU"),
        "energy_j": (REAL, "energy of all attempts, joules"),
        "energy_source": (TEXT, "nvml (GPU board), rapl (CPU packages) or assumed (5 W a thread)"),
        "compiled": (TEXT, "off, or what torch.compile's rule chose and why"),
    }
)
TABLES["sweep"] = Table(
    {
        "family": (TEXT, "architecture family"),
        "depth": (INT, "the dial"),
        "objective": (TEXT, "pretraining objective"),
        "learning_rate": (REAL, "base learning rate, at depth 1"),
        "seed": (INT, "pretraining seed"),
        "clips_seen": (INT, "clips seen by the run"),
        "heldout_loss": (REAL, "loss on held-out clips at the end of the run; infinite where it diverged"),
        "probe": (
            REAL,
            "score of a ridge read-out of their features; null where it diverged or has no target",
        ),
        "diverged": (YES, "whether a loss or the finished network was not finite"),
    }
)
TABLES["training"] = Table(
    {
        "trunk": (TEXT, "trunk: the checkpoint's name without its rung"),
        **{
            name: TABLES["checkpoints"].columns[name]
            for name in (
                *("reader_id", "corpus", "control", "fraction", "objective", "family", "depth", "seed"),
                *("rung", "fold", "params_encoder"),
            )
        },
        **TABLES["curve"].columns,
        "flops": (REAL, "training FLOPs up to and including this step, by formula"),
        "probe_metric": (TEXT, "what the probe scores: balanced_accuracy of the labels, or r2 of log motion"),
    }
)


def write_table(path: Path | str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as parquet under the schema of table ``name``, atomically.

    Missing declared columns become null; an undeclared column is refused unless the table is open.

    Raises
    ------
    ValueError
        If a row has a column that the schema does not know, or a value of another type.
    UserError
        If the file's name does not end in .parquet.
    """
    if Path(path).suffix != ".parquet":
        raise UserError(f"{path}: the {name} table is written as parquet; name a .parquet file")
    table = TABLES[name]
    extra: dict[str, None] = {}
    for row in rows:
        extra.update(dict.fromkeys(key for key in row if key not in table.columns))
    if extra and not table.open:
        raise ValueError(f"table {name} has no columns {sorted(extra)}")
    data = pa.Table.from_pylist(list(rows), schema=table.schema)
    for key in extra:
        data = data.append_column(key, pa.array([row.get(key) for row in rows]))
    with atomic(path) as temporary:
        # One writer, fixed options: the same rows give the same bytes.
        pq.write_table(data, temporary, compression="zstd")


def write_columns(path: Path | str, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns as parquet under the schema of table ``name``, atomically: for tables of many rows.

    Raises
    ------
    ValueError
        If the columns are not exactly the declared ones, differ in length, or hold a value of another type.
    """
    table = TABLES[name]
    if set(columns) != set(table.columns):
        raise ValueError(f"table {name}: columns differ in {sorted(set(columns) ^ set(table.columns))}")
    try:
        arrays = [_array(kind, columns[key]) for key, (kind, _) in table.columns.items()]
    except (AttributeError, TypeError) as error:
        raise ValueError(f"table {name}: a value of another type ({error})") from None
    with atomic(path) as temporary:
        pq.write_table(pa.Table.from_arrays(arrays, schema=table.schema), temporary, compression="zstd")


def _array(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """A column without nulls, from buffers: ``pa.array`` would import pandas, a third of a second a job."""
    if pa.types.is_list(kind):
        lengths = np.fromiter(map(len, values), dtype=np.int32, count=len(values))
        inner = _array(kind.value_type, [item for value in values for item in value])
        return pa.ListArray.from_arrays(_numbers(pa.int32(), _offsets(lengths)), inner)
    if kind == TEXT:
        encoded = [value.encode() for value in values]
        lengths = np.fromiter(map(len, encoded), dtype=np.int32, count=len(values))
        buffers = pa.py_buffer(_offsets(lengths)), pa.py_buffer(b"".join(encoded))
        return pa.StringArray.from_buffers(len(values), *buffers)
    if kind == YES:
        bits = np.packbits(np.asarray(values, dtype=bool), bitorder="little")
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(bits)])
    given = np.asarray(values, dtype=None if len(values) else kind.to_pandas_dtype())
    if not np.can_cast(given.dtype, kind.to_pandas_dtype(), casting="safe"):
        raise TypeError(f"{given.dtype} is not {kind}")
    return _numbers(kind, given.astype(kind.to_pandas_dtype()))


def _offsets(lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _numbers(kind: pa.DataType, values: npt.NDArray[Any]) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def read_table(path: Path | str, name: str) -> pa.Table:
    """Read a parquet table and check that it has the columns of table ``name``.

    Raises
    ------
    UserError
        If the file is missing, is not parquet, or lacks a column.
    """
    data = read_parquet(path)
    check_columns(data, path, name)
    return data


def read_parquet(path: Path | str) -> pa.Table:
    """Read a parquet file.

    Raises
    ------
    UserError
        If the file is missing or is not parquet.
    """
    try:
        # The file itself and not pq.read_table, which imports pyarrow.dataset and with it pandas.
        with pq.ParquetFile(path) as file:
            return file.read()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable parquet file ({str(error).splitlines()[0]})") from None


def check_columns(data: pa.Table, path: Path | str, name: str) -> None:
    """Check that data read from ``path`` has the columns of table ``name``.

    Raises
    ------
    UserError
        Naming the first column that is missing.
    """
    missing = [column for column in TABLES[name].columns if column not in data.column_names]
    if missing:
        raise UserError(
            f"{path}: column '{missing[0]}' of table {name} is missing; {nearest(missing[0], data.column_names)}"
        )
