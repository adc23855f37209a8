"""Validated, frozen configuration: one object, read from ``params.yaml`` and handed down.

Every value of ``params.yaml`` is required, so that the file is the whole truth about a run; an unknown, missing,
ill-typed or contradictory value raises :class:`ConfigError` with one sentence naming it, its value and the fix.
"""

from zonkey.config.base import ConfigError
from zonkey.config.data import DataConfig
from zonkey.config.losses import LossConfig
from zonkey.config.measuring import (
    AblationsConfig,
    AdaptationConfig,
    BaselinesConfig,
    EvaluateConfig,
    LanguageConfig,
    SampleConfig,
    SuitesConfig,
    VariantConfig,
)
from zonkey.config.model import DDMMConfig, FlowConfig, LevelConfig, ModelConfig, SamplerConfig
from zonkey.config.read import fingerprint, load_config, parse, read_mapping, read_yaml
from zonkey.config.training import RuntimeConfig, StageConfig, TrainConfig
from zonkey.config.whole import Config, PipelineConfig

__all__ = [
    "AblationsConfig",
    "AdaptationConfig",
    "BaselinesConfig",
    "Config",
    "ConfigError",
    "DDMMConfig",
    "DataConfig",
    "EvaluateConfig",
    "FlowConfig",
    "LanguageConfig",
    "LevelConfig",
    "LossConfig",
    "ModelConfig",
    "PipelineConfig",
    "RuntimeConfig",
    "SampleConfig",
    "SamplerConfig",
    "StageConfig",
    "SuitesConfig",
    "TrainConfig",
    "VariantConfig",
    "fingerprint",
    "load_config",
    "parse",
    "read_mapping",
    "read_yaml",
]
