-- A store of schema 2 as its program left it: four executions, one with large parameters. Kept to be brought up to date by every later version.
PRAGMA application_id = 1330791240;
PRAGMA user_version = 2;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('mark','2c9cc73a2e1b67c2962c123a74f5d24b');
CREATE TABLE definitions(digest TEXT NOT NULL, name TEXT NOT NULL, created_at INTEGER NOT NULL, normal TEXT NOT NULL);
INSERT INTO definitions VALUES('d1','build',1795233641211451,'{"name":"build"}');
CREATE TABLE executions(number INTEGER PRIMARY KEY, state INTEGER NOT NULL, generation INTEGER NOT NULL,
  tasks_total INTEGER NOT NULL, tasks_done INTEGER NOT NULL, tasks_failed INTEGER NOT NULL,
  created_at INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  parent INTEGER NOT NULL, parent_instance INTEGER NOT NULL, parent_fence INTEGER NOT NULL,
  workflow TEXT NOT NULL, digest TEXT NOT NULL, base_dir TEXT NOT NULL, file TEXT NOT NULL, started_by TEXT NOT NULL,
  error TEXT NOT NULL, waiting TEXT NOT NULL, parameters TEXT);
INSERT INTO executions VALUES(1,4,0,0,0,0,1001,0,0,1001,0,0,0,'build','d1','/work','a.yaml','me','','','{}');
INSERT INTO executions VALUES(2,5,0,0,0,0,1002,0,0,1002,0,0,0,'build','d1','/work','a.yaml','me','it failed','','{}');
INSERT INTO executions VALUES(3,1,0,0,0,0,1003,0,0,1003,1,0,0,'build','d1','/work','a.yaml','me','','','{}');
INSERT INTO executions VALUES(4,1,0,0,0,0,1004,0,0,1004,0,0,0,'build','d1','/work','a.yaml','me','','',NULL);
CREATE TABLE large_parameters(number INTEGER PRIMARY KEY, parameters TEXT NOT NULL);
INSERT INTO large_parameters VALUES(4,'"pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"');
CREATE TABLE finished(state INTEGER PRIMARY KEY, count INTEGER NOT NULL);
INSERT INTO finished VALUES(4,1);
INSERT INTO finished VALUES(5,1);
CREATE TABLE journal(execution INTEGER NOT NULL, seq INTEGER NOT NULL, count INTEGER NOT NULL, record BLOB NOT NULL);
INSERT INTO journal VALUES(1,1,2,X'666972737420007265636f7264');
INSERT INTO journal VALUES(1,3,1,X'7365636f6e64207265636f7264');
INSERT INTO journal VALUES(2,1,2,X'666972737420007265636f7264');
INSERT INTO journal VALUES(2,3,1,X'7365636f6e64207265636f7264');
INSERT INTO journal VALUES(3,1,2,X'666972737420007265636f7264');
INSERT INTO journal VALUES(3,3,1,X'7365636f6e64207265636f7264');
INSERT INTO journal VALUES(4,1,2,X'666972737420007265636f7264');
INSERT INTO journal VALUES(4,3,1,X'7365636f6e64207265636f7264');
CREATE UNIQUE INDEX definitions_digest ON definitions(digest);
CREATE INDEX executions_alive ON executions(number, state) WHERE state < 4;
CREATE INDEX executions_finished ON executions(state) WHERE state >= 4;
CREATE INDEX executions_workflow ON executions(state, workflow) WHERE state >= 4;
CREATE INDEX executions_parent ON executions(parent);
CREATE INDEX executions_created ON executions(created_at);
CREATE INDEX executions_file ON executions(file) WHERE file <> '';
CREATE UNIQUE INDEX journal_seq ON journal(execution, seq);
COMMIT;
