BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE checkpoints (
	run_id VARCHAR(64) NOT NULL, 
	group_key TEXT NOT NULL, 
	trial INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (run_id, group_key, trial), 
	CONSTRAINT fk_checkpoints_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "checkpoints" VALUES('00000000000000000000000000000001','group',0,X'785EAB56AA50B2528836D451308AAD050018360376');
CREATE TABLE environments (
	hash VARCHAR(64) NOT NULL, 
	record JSON NOT NULL, 
	CONSTRAINT pk_environments PRIMARY KEY (hash)
);
INSERT INTO "environments" VALUES('0cc31707a7aeb16bd4b3829a271000d29d4a407687846207410af5112e6e36bd','{"python": "3.11.9", "harness": "0.1.0", "packages": {"numpy": "2.3.5", "onnxruntime": "1.31.0"}, "commit": "8d1f5c0e6a1b4f0c9e2d7a3b5c6d7e8f90a1b2c3", "branch": "main", "dirty": false, "command": ["harness", "compare", "ort", "openvino"], "variables": {"OMP_NUM_THREADS": "2"}}');
CREATE TABLE machines (
	hash VARCHAR(64) NOT NULL, 
	machine_id TEXT NOT NULL, 
	hostname TEXT NOT NULL, 
	record JSON NOT NULL, 
	CONSTRAINT pk_machines PRIMARY KEY (hash)
);
INSERT INTO "machines" VALUES('0c05c53cecd9e70742a305d388f6ea175d29c52b1fb37330cc384a71035e3f5f','m-0123456789ab','bench-1','{"id": "m-0123456789ab", "hostname": "bench-1", "system": "Linux", "kernel": "6.1.0", "cpu": "Some CPU @ 2.70GHz", "architecture": "x86_64", "cores_physical": 1, "cores_logical": 2, "cores_usable": 2, "cpu_flags": ["avx2", "avx512f"], "caches": {"L1d": "48K", "L3": "260M"}, "memory": 8589934592, "frequency_mhz": 2693.671, "governor": null, "microcode": null, "virtualisation": "kvm", "container_cpu_limit": null, "container_memory_limit": null, "gpus": [{"name": "Some GPU", "memory": 17179869184, "driver": "580.1"}]}');
CREATE TABLE metrics (
	result_id VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	value FLOAT, 
	low FLOAT, 
	high FLOAT, 
	unit TEXT NOT NULL, 
	confidence FLOAT NOT NULL, 
	samples INTEGER NOT NULL, 
	trials INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_metrics PRIMARY KEY (result_id, name), 
	CONSTRAINT fk_metrics_result_id FOREIGN KEY(result_id) REFERENCES results (id) ON DELETE CASCADE
);
INSERT INTO "metrics" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','p50',0.001,0.0009,0.0011,'s',0.95,0,0,'');
CREATE TABLE results (
	id VARCHAR(64) NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	group_id TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	schema_version INTEGER NOT NULL, 
	case_key TEXT NOT NULL, 
	model TEXT NOT NULL, 
	model_sha256 TEXT NOT NULL, 
	contender TEXT NOT NULL, 
	backend TEXT NOT NULL, 
	flavour TEXT NOT NULL, 
	precision TEXT NOT NULL, 
	batch INTEGER NOT NULL, 
	threads INTEGER NOT NULL, 
	scenario TEXT NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	parity_status VARCHAR(32), 
	engine_version TEXT NOT NULL, 
	commit_id TEXT, 
	machine_id TEXT NOT NULL, 
	machine_hash VARCHAR(64) NOT NULL, 
	environment_hash VARCHAR(64) NOT NULL, 
	record JSON NOT NULL, 
	CONSTRAINT pk_results PRIMARY KEY (id), 
	CONSTRAINT fk_results_environment_hash FOREIGN KEY(environment_hash) REFERENCES environments (hash), 
	CONSTRAINT fk_results_machine_hash FOREIGN KEY(machine_hash) REFERENCES machines (hash), 
	CONSTRAINT fk_results_run_id FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "results" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','00000000000000000000000000000001','group-1','2026-11-03 04:15:06.789012',1,'resnet50 | ort | batch 1 | threads 2 | single_stream','resnet50','abababababababababababababababababababababababababababababababab','ort','ort','','fp32',1,2,'single_stream','measured','pass','1.31.0','8d1f5c0e6a1b4f0c9e2d7a3b5c6d7e8f90a1b2c3','m-0123456789ab','0c05c53cecd9e70742a305d388f6ea175d29c52b1fb37330cc384a71035e3f5f','0cc31707a7aeb16bd4b3829a271000d29d4a407687846207410af5112e6e36bd','{"schema_version": 1, "id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "run_id": "00000000000000000000000000000001", "group_id": "group-1", "created_at": "2026-11-03T04:15:06.789012Z", "case": {"model": {"name": "resnet50", "source": "builtin", "sha256": "abababababababababababababababababababababababababababababababab", "path": null, "inputs": [{"name": "input", "dtype": "float32", "shape": ["batch", 3, 224, 224]}], "outputs": [{"name": "logits", "dtype": "float32", "shape": ["batch", 1000]}], "parameters": 25557032, "macs": 4089284608}, "contender": {"text": "ort", "backend": "ort", "flavour": "", "precision": "fp32", "version": "", "options": {}}, "variant": {"batch": 1, "threads": 2, "dims": {}}, "scenario": "single_stream", "key": "resnet50 | ort | batch 1 | threads 2 | single_stream"}, "status": "measured", "settings": {"margin": 0.02, "confidence": 0.95, "target_ci": 0.01, "budget_s": 45.0, "min_trials": 4, "max_trials": 12, "rounds_per_trial": 6, "block_s": 0.25, "warmup_max_s": 10.0, "deadline_s": 120.0, "memory_limit": null, "seed": 0, "input_sets": ["normal:0", "normal:1", "uniform:0"]}, "engine_version": "1.31.0", "effective": {"intra_op_num_threads": 2, "providers": ["CPUExecutionProvider"], "nested": {"a": null}}, "inputs_sha256": {"normal:0": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"}, "artefact": {"bytes": 102400000, "note": "model.onnx", "build_ns": 0}, "memory": {"before_engine": 40000000, "after_load": 180000000, "peak": 210000001}, "trials": [{"index": 0, "import_ns": 200000000, "load_ns": 50000000, "first_inference_ns": 9000000, "steady_from": 4, "rounds": [{"index": 0, "position": 0, "input_set": "normal:0", "calls_per_sample": 3, "canary_ns": 5000000, "cpu_s": 0.25, "steal_s": 0.0}, {"index": 1, "position": 1, "input_set": "normal:0", "calls_per_sample": 3, "canary_ns": 5000001, "cpu_s": 0.25, "steal_s": 0.0}, {"index": 2, "position": 0, "input_set": "normal:0", "calls_per_sample": 3, "canary_ns": 5000002, "cpu_s": 0.25, "steal_s": 0.0}], "memory_before_engine": 40000000, "memory_after_load": 180000000, "memory_peak": 210000000, "timed_drift": null}, {"index": 1, "import_ns": 200000001, "load_ns": 50000001, "first_inference_ns": 9000001, "steady_from": null, "rounds": [{"index": 0, "position": 0, "input_set": "normal:0", "calls_per_sample": 3, "canary_ns": 5000000, "cpu_s": 0.25, "steal_s": 0.0}, {"index": 1, "position": 1, "input_set": "normal:0", "calls_per_sample": 3, "canary_ns": 5000001, "cpu_s": 0.25, "steal_s": 0.0}, {"index": 2, "position": 0, "input_set": "normal:0", "calls_per_sample": 3, "canary_ns": 5000002, "cpu_s": 0.25, "steal_s": 0.0}], "memory_before_engine": 40000000, "memory_after_load": 180000000, "memory_peak": 210000001, "timed_drift": null}], "stop_reason": "the interval is narrow enough", "parity": {"status": "pass", "reference": "torch 2.13.0 float64", "yardstick": "torch 2.13.0 float32", "reason": "", "contract": [], "outputs": [{"output": "logits", "input_set": "normal:0", "status": "pass", "error_rms": 3.1e-07, "error_max": 2.2e-06, "yardstick_rms": 2.9e-07, "yardstick_max": 2e-06, "ratio_rms": 1.07, "ratio_max": 1.1, "budget_rms": 10.0, "budget_max": 20.0, "worst_index": [0, 17], "cosine": 0.9999999, "top1_agreement": 1.0, "reason": ""}]}, "failure": null, "warnings": [{"code": "steal", "message": "2 % of the time was stolen", "figure": 0.02, "consequence": "", "advice": ""}]}');
INSERT INTO "results" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','00000000000000000000000000000001','group-1','2026-11-03 04:16:06.789012',1,'resnet50 | openvino | batch 1 | threads 2 | single_stream','resnet50','abababababababababababababababababababababababababababababababab','openvino','openvino','','fp32',1,2,'single_stream','crashed',NULL,'','8d1f5c0e6a1b4f0c9e2d7a3b5c6d7e8f90a1b2c3','m-0123456789ab','0c05c53cecd9e70742a305d388f6ea175d29c52b1fb37330cc384a71035e3f5f','0cc31707a7aeb16bd4b3829a271000d29d4a407687846207410af5112e6e36bd','{"schema_version": 1, "id": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "run_id": "00000000000000000000000000000001", "group_id": "group-1", "created_at": "2026-11-03T04:16:06.789012Z", "case": {"model": {"name": "resnet50", "source": "builtin", "sha256": "abababababababababababababababababababababababababababababababab", "path": null, "inputs": [{"name": "input", "dtype": "float32", "shape": ["batch", 3, 224, 224]}], "outputs": [{"name": "logits", "dtype": "float32", "shape": ["batch", 1000]}], "parameters": 25557032, "macs": 4089284608}, "contender": {"text": "openvino", "backend": "openvino", "flavour": "", "precision": "fp32", "version": "", "options": {}}, "variant": {"batch": 1, "threads": 2, "dims": {}}, "scenario": "single_stream", "key": "resnet50 | openvino | batch 1 | threads 2 | single_stream"}, "status": "crashed", "settings": {"margin": 0.02, "confidence": 0.95, "target_ci": 0.01, "budget_s": 45.0, "min_trials": 4, "max_trials": 12, "rounds_per_trial": 6, "block_s": 0.25, "warmup_max_s": 10.0, "deadline_s": 120.0, "memory_limit": null, "seed": 0, "input_sets": ["normal:0", "normal:1", "uniform:0"]}, "engine_version": "", "effective": {"intra_op_num_threads": 2, "providers": ["CPUExecutionProvider"], "nested": {"a": null}}, "inputs_sha256": {"normal:0": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"}, "artefact": null, "memory": null, "trials": [], "stop_reason": "the interval is narrow enough", "parity": null, "failure": {"phase": "load", "kind": "crashed", "message": "the worker died of SIGSEGV", "hint": "", "exit_signal": "SIGSEGV", "stderr_tail": "line 1\nline 2\u0000 \u2028 \u2603", "traceback": ""}, "warnings": [{"code": "steal", "message": "2 % of the time was stolen", "figure": 0.02, "consequence": "", "advice": ""}]}');
CREATE TABLE runs (
	id VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	plan_key TEXT NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	status VARCHAR(32) NOT NULL, 
	exit_code INTEGER, 
	machine_id TEXT NOT NULL, 
	machine_hash VARCHAR(64) NOT NULL, 
	environment_hash VARCHAR(64) NOT NULL, 
	commit_id TEXT, 
	branch TEXT, 
	harness_version TEXT NOT NULL, 
	owner_host TEXT NOT NULL, 
	owner_pid INTEGER NOT NULL, 
	owner_started FLOAT NOT NULL, 
	record JSON NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT fk_runs_environment_hash FOREIGN KEY(environment_hash) REFERENCES environments (hash), 
	CONSTRAINT fk_runs_machine_hash FOREIGN KEY(machine_hash) REFERENCES machines (hash)
);
INSERT INTO "runs" VALUES('00000000000000000000000000000001','compare resnet50','compare','plan-1','2026-11-03 04:05:06.789012',NULL,'running',NULL,'m-0123456789ab','0c05c53cecd9e70742a305d388f6ea175d29c52b1fb37330cc384a71035e3f5f','0cc31707a7aeb16bd4b3829a271000d29d4a407687846207410af5112e6e36bd','8d1f5c0e6a1b4f0c9e2d7a3b5c6d7e8f90a1b2c3','main','0.1.0','elsewhere',10682,1795231255.05,'{"id": "00000000000000000000000000000001", "name": "compare resnet50", "kind": "compare", "plan_key": "plan-1", "started_at": "2026-11-03T04:05:06.789012Z", "user": "someone", "settings": {"margin": 0.02, "confidence": 0.95, "target_ci": 0.01, "budget_s": 45.0, "min_trials": 4, "max_trials": 12, "rounds_per_trial": 6, "block_s": 0.25, "warmup_max_s": 10.0, "deadline_s": 120.0, "memory_limit": null, "seed": 0, "input_sets": ["normal:0", "normal:1", "uniform:0"]}}');
CREATE TABLE samples (
	result_id VARCHAR(64) NOT NULL, 
	trial INTEGER NOT NULL, 
	layout INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_samples PRIMARY KEY (result_id, trial), 
	CONSTRAINT fk_samples_result_id FOREIGN KEY(result_id) REFERENCES results (id) ON DELETE CASCADE
);
INSERT INTO "samples" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',0,1,X'785E636180000E28CD8A837EEB160B96F9FFD2184CF32B6B806983694A607AD3535930ADF05E1A4CE73A488169D5240930FDFB361F984E0DE407D337FA21F4167E08ADA701A12F1E82D0D3C420B488148416FA07A1179D829853D900E16F5F0AE1CF1186F0776E87D06B16426800E31119E1');
INSERT INTO "samples" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1,1,X'785E636180000E28CD8A83967C1E0996B9F8DA044C271ED400D32FCB15C1F4895B7260BAD942164CBF299204D31217C4C1F491087E30FDD102429B9D87D03B4C21B4971D840E3386D0B7BFF081E92B6510FEB95B107EE25C08FFB913849E9109A105C42174CC2F88BAA7E7207C0018491C7D');
CREATE TABLE store_info (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_store_info PRIMARY KEY ("key")
);
INSERT INTO "store_info" VALUES('harness','0.1.0');
CREATE INDEX ix_machines_machine_id ON machines (machine_id);
CREATE INDEX ix_runs_plan_key_machine_id_started_at ON runs (plan_key, machine_id, started_at);
CREATE INDEX ix_runs_started_at ON runs (started_at);
CREATE INDEX ix_results_case_key_machine_id_created_at ON results (case_key, machine_id, created_at);
CREATE INDEX ix_results_created_at ON results (created_at);
CREATE INDEX ix_results_group_id ON results (group_id);
CREATE INDEX ix_results_model_contender_created_at ON results (model, contender, created_at);
CREATE INDEX ix_results_run_id ON results (run_id);
COMMIT;
