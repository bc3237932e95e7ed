"""Definitions drawn from a seed, over every construct of the language, made of tasks whose effects are told to the ledger."""


class Draw:
    """One workflow (and its sub-workflow). `dice` is a random.Random."""

    def __init__(self, dice, effect):
        self.dice, self.effect = dice, effect
        self.approvals, self.events = [], []  # what people have to do for it to go on
        self.pools = {}
        self.child = None

    def exec(self, result=None, most_ms=12):
        command = [self.effect, str(self.dice.randint(0, most_ms))]
        return {"exec": command + ([result] if result is not None else [])}

    def leaf(self):
        """A task that runs a program, with options at random."""
        task = self.exec('"done"' if self.dice.random() < 0.9 else "size:70000")
        kind = self.dice.random()
        if kind < 0.2:
            task["exec"][2:] = [f"fail:{self.dice.randint(2, 3)}"]
            task["retry"] = {"max_attempts": 5, "delay": "3ms", "backoff": "constant", "on": ["exit"]}
        elif kind < 0.3:
            task["on_interrupt"] = self.dice.choice(["fail", "hold"])
        elif kind < 0.4:
            self.pools["gate"] = 2
            task["pool"] = "gate"
        elif kind < 0.5:
            task["timeout"] = "20s"
        elif kind < 0.6:
            task["exec"][2:] = ["fail:1000"]
            task["on_error"] = self.exec('"mended"')
        elif kind < 0.65:
            task["exec"][2:] = ["fail:1000"]
            task["continue_on_error"] = True
        return task

    def saga(self):
        task = self.exec('"done"')
        task["compensate"] = self.exec(most_ms=4)
        return task

    def group(self):
        count = self.dice.randint(2, 3)
        return {"mode": self.dice.choice(["sequence", "parallel"]),
                "tasks": {f"g{n}": self.saga() if self.dice.random() < 0.3 else self.leaf() for n in range(count)}}

    def loop(self):
        task = self.exec("{{ string(n * n) }}")
        task["for_each"] = {"in": "[0, 1, 2, 3, 4]", "as": "n"}
        if self.dice.random() < 0.5:
            task["for_each"]["max_parallel"] = 2
        return task

    def repeat(self):
        return {"repeat": {"until": "step.output >= 3", "max": 5}, "tasks": {"step": self.exec("{{ string(iteration) }}", 6)}}

    def wait(self):
        return {"wait": f"{self.dice.randint(1, 40)}ms"}

    def event(self, name):
        self.events.append(name)
        return {"wait": {"event": name}}

    def approval(self, name):
        self.approvals.append(name)
        return {"approval": "go on?"}

    def sub(self):
        self.child = {"name": "child", "env": {"LEDGER": "{{ env.LEDGER }}"}, "tasks": {
            "first": self.exec("1"), "second": {"depends_on": "first", **self.exec("2")}}, "output": "{{ second.output }}"}
        return {"workflow": "./child.json"}

    def workflow(self, fails):
        """With `fails` its last task fails, and what can be undone is."""
        makers = [self.leaf, self.leaf, self.saga, self.group, self.loop, self.repeat, self.wait, self.sub, "event", "approval"]
        tasks = {}
        for n in range(self.dice.randint(4, 9)):
            maker, name = self.dice.choice(makers), f"t{n}"
            task = self.event(f"e{n}") if maker == "event" else self.approval(name) if maker == "approval" else maker()
            before = [other for other in tasks if self.dice.random() < 0.3]
            if before:
                task["depends_on"] = before
            tasks[name] = task
        last = {"depends_on": list(tasks), "join": "all_done", **self.exec("fail:1000" if fails else '"end"')}
        tasks["last"] = last
        definition = {"name": "drawn", "env": {"LEDGER": "{{ env.LEDGER }}"}, "concurrency": self.dice.randint(2, 6), "tasks": tasks,
                      "finally": {"tidy": self.exec('"tidy"', 4)}}
        if self.pools:
            definition["pools"] = self.pools
        return [definition] + ([self.child] if self.child else [])
