import type { Generation } from "./any-opencode.ts"

type Call = { name: string; args: object }

/** Calls of opencode's own tools, for a scripted model: each generation has its own names for them. */
export interface BuiltInTools {
  shell(command: string): Call
  write(path: string, content: string): Call
  edit(path: string, from: string, to: string): Call
  read(path: string): Call
  subagent(agent: string, prompt: string): Call
  /** With two options. */
  question(question: string, ...options: [string, string]): Call
}

export function builtInTools(generation: Generation): BuiltInTools {
  const [shell, subagent, agentName, path] =
    generation === 1 ? ["bash", "task", "subagent_type", "filePath"] : ["shell", "subagent", "agent", "path"]
  return {
    shell: (command) => ({
      name: shell,
      args: { command, ...(generation === 1 && { description: "Runs it" }) },
    }),
    write: (file, content) => ({ name: "write", args: { [path]: file, content } }),
    edit: (file, oldString, newString) => ({ name: "edit", args: { [path]: file, oldString, newString } }),
    read: (file) => ({ name: "read", args: { [path]: file } }),
    subagent: (agent, prompt) => ({
      name: subagent,
      args: { [agentName]: agent, description: "Helps", prompt },
    }),
    question: (question, ...options) => ({
      name: "question",
      args: {
        questions: [
          {
            question,
            header: "Choose",
            options: options.map((label) => ({ label, description: `It is ${label}` })),
          },
        ],
      },
    }),
  }
}
