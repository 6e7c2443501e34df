// Answers with the prompt, which is the session's number.
module.exports = class {
  id() {
    return "recorded";
  }

  async callApi(prompt) {
    return { output: prompt };
  }
};
