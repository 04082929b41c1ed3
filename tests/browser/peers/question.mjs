// What everybody is asked. The weights say the same to the same question, so it is the same work for all.

/** Tokens of context: what wllama takes by itself, and one of the sizes that our page offers. */
export const CONTEXT = 1024;

/** With the template around it 122 tokens; every table says how many they were. */
export const QUESTION = [
  { role: "system", content: "You are a patient guide in a museum of natural history." },
  {
    role: "user",
    content:
      "Tell me a long story about the animals of the southern plains. In the dry season the herds walk for many days " +
      "to find water, and the young ones learn the way from the old. Lions wait in the tall grass near the river, and " +
      "birds warn everyone who listens. At night the wind turns cold, and the stars are so bright that even a small " +
      "mouse has a shadow of its own. Say what the herds see and hear on their way, day by day.",
  },
];

/** As long, so that all that grows or is compiled on first use has done so; different early on, for caches of prompts. */
export const WARM_UP = [
  { role: "system", content: "Speak as the captain of a ship, who is fond of storms." },
  { role: "user", content: QUESTION[1].content.replace("animals of the southern plains", "harbours of the northern seas") },
];
