"""The names of an exported folder's files."""

EXPERIMENT_FILE = "experiment.yaml"
DECISION_RULE_FILE = "decision_rule.json"
CALIBRATION_FILE = "calibration.json"
METRICS_FILE = "metrics.json"
CARD_FILE = "README.md"
TEST_PREDICTIONS_FILE = "test_predictions.parquet"
BASE_FOLDER = "base"
ADAPTER_FILE = "adapter_config.json"
WEIGHT_FILES = ("adapter_model.safetensors", "model.safetensors", "model.safetensors.index.json")
